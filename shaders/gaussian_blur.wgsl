// gaussian_blur: a Gaussian filter along one axis of an array, and its transpose. Two passes, W and H, blur an image.
//
//   input        [outer, extent, inner]  pack
//   output       [outer, extent, inner]  pack
//   grad_output  [outer, extent, inner]  pack
//   grad_input   [outer, extent, inner]  pack
//
//   output[o,at,i] = sum over d in [-radius, radius] of weight(d) * input[o, edge(at + d), i]
//   weight(d) = exp(-d^2 / (2 sigma^2)) / sum of the same over all d
//
// Beyond the border, edge() mirrors about the outermost elements (reflect: c b | a b c | b a, and so on without end), repeats
// the outermost element (replicate), or there is zero (zeros: the weights inside keep their share). Between two passes an
// image is stored in its own dtype.
// Definition: torchvision.transforms.functional.gaussian_blur; borders as torch.nn.functional.pad.
//
// Cost: each pass reads its input once, writes its output once, and does 2 * (2 * radius + 1) operations for each element; it evaluates exp
// 2 * radius + 1 times for each four elements, backwards for each one.

const REFLECT = 0u;
const REPLICATE = 1u;
const ZEROS = 2u;
// Values beyond the border: 0 mirror images, 1 the outermost element, 2 zeros.
override BORDER: u32 = 0u;

struct Params {
  outer: u32,
  extent: i32,
  packs: u32,   // inner / PACK
  radius: i32,
  sigma: f32,   // elements
  share: f32,   // 1 / sum of the weights
}

@group(0) @binding(0) var<storage, read> input: array<pack>;
@group(0) @binding(1) var<storage, read> grad_output: array<pack>;
@group(0) @binding(2) var<storage, read_write> output: array<pack>;
@group(0) @binding(3) var<storage, read_write> grad_input: array<pack>;
@group(1) @binding(0) var<uniform> params: Params;

fn weight(d: i32) -> f32 {
  let z = f32(d) / params.sigma;
  return exp(-0.5 * z * z) * params.share;
}

// Distance after which a mirrored line repeats. All positions are the one element of a line that has no more.
fn period() -> i32 { return max(2 * (params.extent - 1), 1); }

// Element that stands for position `at`.
fn edge(at: i32) -> i32 {
  if (BORDER == REFLECT) {
    var mirrored = abs(at);
    while (mirrored >= period()) { mirrored -= period(); } // seldom taken; a division would cost 20 instructions each time
    return min(mirrored, period() - mirrored);
  }
  return clamp(at, 0, params.extent - 1);
}

// The element that stands for position `at` of a line, whose element 0 is at index `line`.
fn element(line: u32, at: i32) -> accum {
  let value = accum(input[line + u32(edge(at)) * params.packs]);
  if (BORDER == ZEROS) { return select(accum(), value, at >= 0 && at < params.extent); }
  return value;
}

// One invocation per pack of four outputs along the axis, which share each weight and, but for three, their elements. Each adds its
// window's in order.
@compute @workgroup_size(WORKGROUP_SIZE)
fn forward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flat_index(id, groups);
  let extent = u32(params.extent);
  let fours = (extent + 3u) / 4u;
  if (i >= params.outer * fours * params.packs) { return; }
  let at = i32(i / params.packs % fours * 4u);
  let line = i / params.packs / fours * extent * params.packs + i % params.packs;
  var sums: array<accum, 4>;
  var v0 = element(line, at - params.radius);
  var v1 = element(line, at - params.radius + 1);
  var v2 = element(line, at - params.radius + 2);
  for (var d = -params.radius; d <= params.radius; d++) {
    let v3 = element(line, at + d + 3);
    let w = weight(d);
    sums[0] += w * v0;
    sums[1] += w * v1;
    sums[2] += w * v2;
    sums[3] += w * v3;
    v0 = v1;
    v1 = v2;
    v2 = v3;
  }
  for (var k = 0; k < min(4, params.extent - at); k++) { output[line + u32(at + k) * params.packs] = pack(sums[k]); }
}

// Gradient at a position, inside or outside: the sum over all outputs that read it. `line` is the index of element 0.
fn sent_to(position: i32, line: u32) -> accum {
  var sum = accum();
  for (var j = max(position - params.radius, 0); j <= min(position + params.radius, params.extent - 1); j++) {
    sum += weight(position - j) * accum(grad_output[line + u32(j) * params.packs]);
  }
  return sum;
}

// The sum of these over every `step`-th position from `first` to the last that any output reads.
fn sent_to_all(first: i32, step: i32, line: u32) -> accum {
  var sum = accum();
  for (var position = first; position < params.extent + params.radius; position += step) { sum += sent_to(position, line); }
  return sum;
}

// The transpose. One invocation per input pack: a gather over the positions that it stands for, in order; one position in the
// interior.
@compute @workgroup_size(WORKGROUP_SIZE)
fn backward_input(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flat_index(id, groups);
  let extent = u32(params.extent);
  if (i >= params.outer * extent * params.packs) { return; }
  let at = i32(i / params.packs % extent);
  let line = i - u32(at) * params.packs;
  let last = params.extent - 1;
  var sum = accum();
  if (BORDER == REFLECT) {
    // Positions at + k * period and -at + k * period; the outermost elements are their own mirror images.
    sum = sent_to_all(at - (at + params.radius) / period() * period(), period(), line);
    if (at > 0 && at < last) {
      let mirrored = period() - at;
      sum += sent_to_all(mirrored - (mirrored + params.radius) / period() * period(), period(), line);
    }
  } else {
    sum = sent_to(at, line);
    if (BORDER == REPLICATE && at == 0) {
      for (var position = -params.radius; position < 0; position++) { sum += sent_to(position, line); }
    }
    if (BORDER == REPLICATE && at == last) { sum += sent_to_all(params.extent, 1, line); }
  }
  grad_input[i] = pack(sum);
}
