// copy: copies the bits of elements between strided places, or into a larger tensor padded with a value.
//
//   input    pack   f32 and u32 travel as words of 32 bits, f16 as f16
//   output   pack
//
//   region:  output[out_base + sum over k of i_k t_k] = input[in_base + sum over k of i_k s_k]   for i_k < d_k, k < 6
//   padded:  output[i_0 .. i_5] = input[sum over k of (i_k - low_k) s_k] where all low_k <= i_k < high_k, elsewhere fill
//
// Transposition, slicing, joining and repetition are regions; padding, and the gradient of slicing, is padded.
// Offsets and the last extent are counted in packs.
//
// Cost: one read and one write an element; 20 integer operations a pack.

struct Params {
  packs: u32,     // of the region, or of output
  in_base: u32,
  out_base: u32,
  fill: u32,      // bits of the value
  d0: u32, d1: u32, d2: u32, d3: u32, d4: u32, d5: u32,              // extents
  s0: u32, s1: u32, s2: u32, s3: u32, s4: u32, s5: u32,              // strides of input
  t0: u32, t1: u32, t2: u32, t3: u32, t4: u32, t5: u32,              // strides of output, in region alone
  low0: u32, low1: u32, low2: u32, low3: u32, low4: u32, low5: u32,        // in padded alone
  high0: u32, high1: u32, high2: u32, high3: u32, high4: u32, high5: u32,
}

@group(0) @binding(0) var<storage, read> input: array<pack>;
@group(0) @binding(1) var<storage, read_write> output: array<pack>;
@group(1) @binding(0) var<uniform> params: Params;

// A place along the outer and the inner three axes.
struct Place { outer: vec3u, inner: vec3u }

fn place_of(i: u32) -> Place {
  var rest = i;
  var place: Place;
  place.inner.z = rest % params.d5;
  rest /= params.d5;
  if (params.d0 * params.d1 * params.d2 * params.d3 == 1u) { // most often; integer division is slow
    place.inner.y = rest;
    return place;
  }
  place.inner.y = rest % params.d4;
  rest /= params.d4;
  place.inner.x = rest % params.d3;
  rest /= params.d3;
  place.outer.z = rest % params.d2;
  rest /= params.d2;
  place.outer.y = rest % params.d1;
  place.outer.x = rest / params.d1;
  return place;
}

fn sum_of(v: vec3u) -> u32 { return v.x + v.y + v.z; }

fn input_offset(place: Place) -> u32 {
  return sum_of(place.outer * vec3u(params.s0, params.s1, params.s2)) + sum_of(place.inner * vec3u(params.s3, params.s4, params.s5));
}

// One invocation per pack of the region.
@compute @workgroup_size(WORKGROUP_SIZE)
fn region(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flat_index(id, groups);
  if (i >= params.packs) { return; }
  let place = place_of(i);
  let to = sum_of(place.outer * vec3u(params.t0, params.t1, params.t2)) + sum_of(place.inner * vec3u(params.t3, params.t4, params.t5));
  output[params.out_base + to] = input[params.in_base + input_offset(place)];
}

// One invocation per pack of the output.
@compute @workgroup_size(WORKGROUP_SIZE)
fn padded(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flat_index(id, groups);
  if (i >= params.packs) { return; }
  let place = place_of(i);
  let low = Place(vec3u(params.low0, params.low1, params.low2), vec3u(params.low3, params.low4, params.low5));
  let high = Place(vec3u(params.high0, params.high1, params.high2), vec3u(params.high3, params.high4, params.high5));
  var value = pack(elem_from_bits(params.fill));
  if (all(place.outer >= low.outer) && all(place.outer < high.outer) && all(place.inner >= low.inner) && all(place.inner < high.inner)) {
    value = input[input_offset(Place(place.outer - low.outer, place.inner - low.inner))];
  }
  output[i] = value;
}
