enable f16;

// dtype f16, channel count a multiple of four. Stored as f16, accumulated in f32.
alias elem = f16;
alias pack = vec4<f16>;
alias accum = vec4<f32>;
const PACK = 4u;

fn pack_sum(v: accum) -> f32 { return (v.x + v.y) + (v.z + v.w); }
// By its bits, as compilers may assume that no number is NaN. As bits, NaN is larger than infinity.
fn is_nan(v: accum) -> vec4<bool> { return (bitcast<vec4u>(v) & vec4u(0x7fffffffu)) > vec4u(0x7f800000u); }
fn pack_max(v: accum) -> f32 { return max(max(v.x, v.y), max(v.z, v.w)); }
fn pack_lane(v: accum, lane: u32) -> f32 { return v[lane]; }
fn accum_from(v: vec4f) -> accum { return v; }
// Not a bitcast to vec2<f16>, which wgpu does not support.
fn elem_from_bits(bits: u32) -> elem { return f16(unpack2x16float(bits).x); }
