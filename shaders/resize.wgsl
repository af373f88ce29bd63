// resize: resamples one axis of an array to another extent, and the transpose of that. Two passes, H and W, resize an image.
//
//   input        [outer, H, inner]  pack
//   output       [outer, P, inner]  pack
//   grad_output  [outer, P, inner]  pack
//   grad_input   [outer, H, inner]  pack
//
//   output[o,p,i] = sum over h of weight(p, h) * input[o,h,i]
//
//   bilinear     weight(p, h) = tent(y - h)                           y = (p + 1/2) * H / P - 1/2, moved into [0, H - 1]
//                corners aligned:                                     y = p * (H - 1) / (P - 1)
//   nearest      weight(p, h) = 1 for h = floor(p * H / P), else 0
//                corners aligned: the h nearest to p * (H - 1) / (P - 1), halves up
//   antialiased  weight(p, h) = tent((y - h) / max(H / P, 1)), divided by its sum over h; y = (p + 1/2) * H / P - 1/2
//   with tent(t) = max(0, 1 - |t|)
//
// Positions are integers, in ticks, so no rounding moves a pixel: y = (p * step + offset) / unit. Nothing outside the
// image is read. Between two passes an image is stored in its own dtype.
// Definitions: torch.nn.functional.interpolate; antialiased as PIL's BILINEAR (Pillow, Resample.c).
//
// Cost: each pass reads its input once and writes its output once, 2 operations for every weight that is not zero: per output
// element 1 (nearest), 2 (bilinear) or 2 max(H / P, 1) (antialiased).

const NEAREST = 0u;
const BILINEAR = 1u;
const ANTIALIASED = 2u;
// The filter: 0 the nearest element, 1 linear interpolation, 2 linear with antialiasing.
override FILTER: u32 = 1u;

struct Params {
  outer: u32,
  extent: u32,      // H
  out_extent: u32,  // P
  packs: u32,       // inner / PACK
  step: i32,        // ticks between the positions of two output elements
  offset: i32,      // tick of output element 0
  unit: i32,        // ticks between two input elements; element 0 lies at tick 0
  reach: i32,       // ticks from the tent's centre to its foot: unit, or more if antialiased
}

@group(0) @binding(0) var<storage, read> input: array<pack>;
@group(0) @binding(1) var<storage, read> grad_output: array<pack>;
@group(0) @binding(2) var<storage, read_write> output: array<pack>;
@group(0) @binding(3) var<storage, read_write> grad_input: array<pack>;
@group(1) @binding(0) var<uniform> params: Params;

// Position of output element p, in ticks.
fn position(p: u32) -> i32 {
  let tick = i32(p) * params.step + params.offset;
  if (FILTER == BILINEAR) { return clamp(tick, 0, i32(params.extent - 1u) * params.unit); }
  return tick;
}

// First and end of the input elements that an output element at `tick` looks at.
fn seen_from(tick: i32) -> vec2u {
  if (FILTER == NEAREST) {
    let h = u32(tick / params.unit);
    return vec2u(h, h + 1u);
  }
  let first = select(0u, u32((tick - params.reach) / params.unit + 1), tick >= params.reach);
  return vec2u(first, min(u32((tick + params.reach - 1) / params.unit + 1), params.extent));
}

// First and end of the output elements that look at input element h: those between two ticks, both excluded.
fn looking_at(h: u32) -> vec2u {
  let tick = i32(h) * params.unit;
  let below = select(tick - params.reach, tick - 1, FILTER == NEAREST) - params.offset;
  let above = select(tick + params.reach, tick + params.unit, FILTER == NEAREST) - params.offset;
  let first = select(0u, u32(below / params.step + 1), below >= 0);
  let end = select(0u, u32((above - 1) / params.step + 1), above > 0);
  return vec2u(first, min(end, params.out_extent));
}

// Weight of input element h in an output element at `tick`, before normalisation. Exactly 1 at the centre, where a
// division might not be.
fn weight(tick: i32, h: u32) -> f32 {
  if (FILTER == NEAREST) { return 1.0; }
  let distance = abs(i32(h) * params.unit - tick);
  return select(f32(max(params.reach - distance, 0)) / f32(params.reach), 1.0, distance == 0);
}

// Sum of the weights of all that an output element at `tick` sees: two arithmetic series, left and right of the centre.
fn total(tick: i32) -> f32 {
  if (FILTER != ANTIALIASED) { return 1.0; }
  let seen = seen_from(tick);
  let shifted = tick + params.unit; // not negative: no position lies a whole element before the first
  let right = u32(shifted / params.unit); // the first element beyond the centre
  let past = f32(shifted % params.unit);  // ticks from the one before it to the centre
  let on_left = f32(right) - f32(seen.x);
  let on_right = f32(seen.y) - f32(right);
  let steps = 0.5 * (on_left * (on_left - 1.0) + on_right * (on_right - 1.0)) * f32(params.unit);
  return on_left + on_right - (steps + on_left * past + on_right * (f32(params.unit) - past)) / f32(params.reach);
}

// One invocation per output pack; it adds its inputs in order.
@compute @workgroup_size(WORKGROUP_SIZE)
fn forward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flat_index(id, groups);
  if (i >= params.outer * params.out_extent * params.packs) { return; }
  let c = i % params.packs;
  let o = i / params.packs / params.out_extent;
  let tick = position(i / params.packs % params.out_extent);
  let seen = seen_from(tick);
  var sum = accum();
  for (var h = seen.x; h < seen.y; h++) {
    sum += weight(tick, h) * accum(input[(o * params.extent + h) * params.packs + c]);
  }
  output[i] = pack(sum / total(tick));
}

// The transpose. One invocation per input pack: a gather over the output elements that look at it, in order.
@compute @workgroup_size(WORKGROUP_SIZE)
fn backward_input(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flat_index(id, groups);
  if (i >= params.outer * params.extent * params.packs) { return; }
  let c = i % params.packs;
  let h = i / params.packs % params.extent;
  let o = i / params.packs / params.extent;
  let looking = looking_at(h);
  var sum = accum();
  for (var p = looking.x; p < looking.y; p++) {
    let tick = position(p);
    sum += weight(tick, h) / total(tick) * accum(grad_output[(o * params.out_extent + p) * params.packs + c]);
  }
  grad_input[i] = pack(sum);
}
