// depthwise_conv2d: one two-dimensional filter per channel, NHWC, and its gradients.
//
//   input    [N, H, W, C]  pack
//   weight   [R, S, C]     pack
//   output   [N, P, Q, C]  pack
//
//   bias     [C]           pack
//
//   output[n,p,q,c] = f(bias[c] + sum over r,s of input[n, p*stride - pad + r*dilation, q*stride - pad + s*dilation, c] * weight[r,s,c])
//   f: ACTIVATION of prelude/activation.wgsl
//
// Outside the image reads as zero. Definition: torch.nn.functional.conv2d with groups = C.
//
// Cost: at least one read of the input and one write of the output, 2 N P Q R S C operations; the gradients the same.
// Deterministic: the gradient of the input is a gather, that of the weight sums slices in order.

// True if bias is added. Otherwise bias is bound but never read.
override BIAS: bool = false;
// True if the weight is rotated by 180 degrees: with unit stride that makes forward_four the gradient of the input.
override TURNED: bool = false;
// Stride, for backward_input: a constant, since division by a variable is slow.
override STRIDE_H: u32 = 1;
override STRIDE_W: u32 = 1;

struct Params {
  batch: u32,       // N
  height: u32,      // H
  width: u32,       // W
  packs: u32,       // C / PACK
  out_height: u32,  // P
  out_width: u32,   // Q
  filter_h: u32,    // R
  filter_w: u32,    // S
  stride_h: u32,
  stride_w: u32,
  pad_top: u32,
  pad_left: u32,
  dilation_h: u32,
  dilation_w: u32,
  rows: u32,        // of (n, p), summed by one slice of backward_weight
  slices: u32,
}

@group(0) @binding(0) var<storage, read> input: array<pack>;
@group(0) @binding(1) var<storage, read> weight: array<pack>;
@group(0) @binding(2) var<storage, read> grad_output: array<pack>;
@group(0) @binding(3) var<storage, read_write> output: array<pack>;
@group(0) @binding(4) var<storage, read_write> grad_input: array<pack>;
@group(0) @binding(5) var<storage, read_write> grad_weight: array<accum>;  // [slices, R, S, C]
@group(0) @binding(6) var<storage, read> bias: array<pack>;
@group(1) @binding(0) var<uniform> params: Params;

// One invocation per output pack. Filter taps outside the image are skipped, not read.
@compute @workgroup_size(WORKGROUP_SIZE)
fn forward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flat_index(id, groups);
  if (i >= params.batch * params.out_height * params.out_width * params.packs) { return; }
  let c = i % params.packs;
  let q = (i / params.packs) % params.out_width;
  let p = (i / params.packs / params.out_width) % params.out_height;
  let n = i / params.packs / params.out_width / params.out_height;
  var sum = accum();
  for (var r = 0u; r < params.filter_h; r++) {
    let h = p * params.stride_h + r * params.dilation_h - params.pad_top; // wraps below zero, then fails the test
    if (h >= params.height) { continue; }
    // Steps from tap to tap are additions: products of indices would cost more than the tap itself.
    var w = q * params.stride_w - params.pad_left;
    var pixel_at = ((n * params.height + h) * params.width + w) * params.packs + c;
    var tap_at = r * params.filter_w * params.packs + c;
    for (var s = 0u; s < params.filter_w; s++) {
      if (w < params.width) { sum += accum(input[pixel_at]) * accum(weight[tap_at]); }
      w += params.dilation_w;
      pixel_at += params.dilation_w * params.packs;
      tap_at += params.packs;
    }
  }
  if (BIAS) { sum += accum(bias[c]); }
  output[i] = pack(activate(sum));
}

// The same with unit stride and no dilation along W. One invocation per pack of four outputs in a row, which share each tap and,
// but for three, their pixels: 2 S + 3 loads for 4 S products. Terms are added in the order of `forward`.
@compute @workgroup_size(WORKGROUP_SIZE)
fn forward_four(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flat_index(id, groups);
  let fours = (params.out_width + 3u) / 4u;
  if (i >= params.batch * params.out_height * fours * params.packs) { return; }
  let c = i % params.packs;
  let q = (i / params.packs) % fours * 4u;
  let p = (i / params.packs / fours) % params.out_height;
  let n = i / params.packs / fours / params.out_height;
  var sums: array<accum, 4>;
  for (var r = 0u; r < params.filter_h; r++) {
    let h = p * params.stride_h + r * params.dilation_h - params.pad_top; // wraps below zero, then fails the test
    if (h >= params.height) { continue; }
    let row = (n * params.height + h) * params.width;
    let first = q - params.pad_left;
    var v0 = pixel(row, first, c);
    var v1 = pixel(row, first + 1u, c);
    var v2 = pixel(row, first + 2u, c);
    for (var s = 0u; s < params.filter_w; s++) {
      let v3 = pixel(row, first + s + 3u, c);
      let f = tap(r, s, c);
      sums[0] += v0 * f;
      sums[1] += v1 * f;
      sums[2] += v2 * f;
      sums[3] += v3 * f;
      v0 = v1;
      v1 = v2;
      v2 = v3;
    }
  }
  let first = ((n * params.out_height + p) * params.out_width + q) * params.packs + c;
  for (var k = 0u; k < min(4u, params.out_width - q); k++) {
    var sum = sums[k];
    if (BIAS) { sum += accum(bias[c]); }
    output[first + k * params.packs] = pack(activate(sum));
  }
}

// input[row, w, c], or zero outside the image. Without a branch, which would take drivers long to compile.
fn pixel(row: u32, w: u32, c: u32) -> accum {
  let inside = w < params.width;
  return select(accum(), accum(input[(row + select(0u, w, inside)) * params.packs + c]), inside);
}

// weight[r, s, c], or of the filter rotated by 180 degrees.
fn tap(r: u32, s: u32, c: u32) -> accum {
  let at = r * params.filter_w + s;
  if (TURNED) { return accum(weight[(params.filter_h * params.filter_w - 1u - at) * params.packs + c]); }
  return accum(weight[at * params.packs + c]);
}

// Output position that reads input position `at` through tap `tap`, or an index beyond every output.
fn reader(at: u32, pad: u32, tap: u32, dilation: u32, stride: u32) -> u32 {
  if (at + pad < tap * dilation) { return 0xffffffffu; }
  let shifted = at + pad - tap * dilation;
  return select(0xffffffffu, shifted / stride, shifted % stride == 0u);
}

// d loss / d input. One invocation per input pack: a gather over the outputs that read it, in tap order.
@compute @workgroup_size(WORKGROUP_SIZE)
fn backward_input(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flat_index(id, groups);
  if (i >= params.batch * params.height * params.width * params.packs) { return; }
  let c = i % params.packs;
  let w = (i / params.packs) % params.width;
  let h = (i / params.packs / params.width) % params.height;
  let n = i / params.packs / params.width / params.height;
  var sum = accum();
  for (var r = 0u; r < params.filter_h; r++) {
    let p = reader(h, params.pad_top, r, params.dilation_h, STRIDE_H);
    if (p >= params.out_height) { continue; }
    for (var s = 0u; s < params.filter_w; s++) {
      let q = reader(w, params.pad_left, s, params.dilation_w, STRIDE_W);
      if (q >= params.out_width) { continue; }
      sum += accum(grad_output[((n * params.out_height + p) * params.out_width + q) * params.packs + c])
        * accum(weight[(r * params.filter_w + s) * params.packs + c]);
    }
  }
  grad_input[i] = pack(sum);
}

// d loss / d weight, in slices of the (n, p) rows that `reduce` adds in order. One invocation per (slice, weight pack).
@compute @workgroup_size(WORKGROUP_SIZE)
fn backward_weight(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flat_index(id, groups);
  if (i >= params.slices * params.filter_h * params.filter_w * params.packs) { return; }
  let c = i % params.packs;
  let tap = i / params.packs;
  let s = tap % params.filter_w;
  let r = tap / params.filter_w % params.filter_h;
  let first = tap / params.filter_w / params.filter_h * params.rows;
  let end = min(first + params.rows, params.batch * params.out_height);
  var sum = accum();
  for (var row = first; row < end; row++) {
    let n = row / params.out_height;
    let h = row % params.out_height * params.stride_h + r * params.dilation_h - params.pad_top;
    if (h >= params.height) { continue; }
    for (var q = 0u; q < params.out_width; q++) {
      let w = q * params.stride_w + s * params.dilation_w - params.pad_left;
      if (w >= params.width) { continue; }
      sum += accum(input[((n * params.height + h) * params.width + w) * params.packs + c])
        * accum(grad_output[(row * params.out_width + q) * params.packs + c]);
    }
  }
  grad_weight[i] = sum;
}

// The same with unit stride and no dilation along W. One invocation per (slice, four taps of a filter's row, pack), which share the
// gradient and, but for one, the pixels: two loads for four products. Terms are added in the order of backward_weight.
@compute @workgroup_size(WORKGROUP_SIZE)
fn backward_weight_four(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flat_index(id, groups);
  let fours = (params.filter_w + 3u) / 4u;
  if (i >= params.slices * params.filter_h * fours * params.packs) { return; }
  let c = i % params.packs;
  let s = i / params.packs % fours * 4u;
  let r = i / params.packs / fours % params.filter_h;
  let slice = i / params.packs / fours / params.filter_h;
  let end = min((slice + 1u) * params.rows, params.batch * params.out_height);
  var sums: array<accum, 4>;
  for (var row = slice * params.rows; row < end; row++) {
    let n = row / params.out_height;
    let h = row % params.out_height * params.stride_h + r * params.dilation_h - params.pad_top;
    if (h >= params.height) { continue; }
    let pixels = (n * params.height + h) * params.width;
    let first = s - params.pad_left; // wraps below zero, and is then outside
    var v0 = pixel(pixels, first, c);
    var v1 = pixel(pixels, first + 1u, c);
    var v2 = pixel(pixels, first + 2u, c);
    for (var q = 0u; q < params.out_width; q++) {
      let v3 = pixel(pixels, first + q + 3u, c);
      let gradient = accum(grad_output[(row * params.out_width + q) * params.packs + c]);
      sums[0] += v0 * gradient;
      sums[1] += v1 * gradient;
      sums[2] += v2 * gradient;
      sums[3] += v3 * gradient;
      v0 = v1;
      v1 = v2;
      v2 = v3;
    }
  }
  let to = ((slice * params.filter_h + r) * params.filter_w + s) * params.packs + c;
  for (var k = 0u; k < min(4u, params.filter_w - s); k++) { grad_weight[to + k * params.packs] = sums[k]; }
}
