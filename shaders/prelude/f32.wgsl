// dtype f32, any channel count.
alias elem = f32;
alias pack = f32;
alias accum = f32;
const PACK = 1u;

fn pack_sum(v: accum) -> f32 { return v; }
// By its bits, as compilers may assume that no number is NaN. As bits, NaN is larger than infinity.
fn is_nan(v: accum) -> bool { return (bitcast<u32>(v) & 0x7fffffffu) > 0x7f800000u; }
fn pack_max(v: accum) -> f32 { return v; }
fn pack_lane(v: accum, lane: u32) -> f32 { return v; }
fn accum_from(v: vec4f) -> accum { return v.x; }
fn elem_from_bits(bits: u32) -> elem { return bitcast<f32>(bits); }
