// dtype u32, any channel count. For kernels that move elements: they move f32 as these words, bit by bit.
alias elem = u32;
alias pack = u32;
alias accum = f32;
const PACK = 1u;

fn pack_sum(v: accum) -> f32 { return v; }
fn pack_max(v: accum) -> f32 { return v; }
fn pack_lane(v: accum, lane: u32) -> f32 { return v; }
fn accum_from(v: vec4f) -> accum { return v.x; }
fn elem_from_bits(bits: u32) -> elem { return bits; }
fn is_nan(v: accum) -> bool { return (bitcast<u32>(v) & 0x7fffffffu) > 0x7f800000u; }
