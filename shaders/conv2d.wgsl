// conv2d: dense two-dimensional convolution (cross-correlation), NHWC, and its gradients.
//
//   input    [N, H, W, C]      elem
//   filters  [R, S, C/g, K]    pack   g groups
//   output   [N, P, Q, K]      pack
//
//   bias     [K]               pack
//
//   output[n,p,q,k] = f(bias[k] + sum over r,s,c of input[n, p*stride - pad + r*dilation, q*stride - pad + s*dilation, c] * filters[r,s,c,k])
//   f: ACTIVATION of prelude/activation.wgsl
//
// Outside the image reads as zero. Definition: torch.nn.functional.conv2d.
//
//   grad_input[n,h,w,c]    = sum over r,s,k of grad_output[n,p,q,k] * filters[r,s,c,k], where p*stride - pad + r*dilation = h
//   grad_filters[r,s,c,k]  = sum over n,p,q of input[n,h,w,c] * grad_output[n,p,q,k], same relation
//
// Cost: at least one read of input and filters and one write of the output, 2 N P Q R S C/g K operations; the gradients the same.
// Deterministic: the gradient of the input is a gather, that of the filters sums slices in order.

// Whether bias is added. Without it, bias is bound but never read.
override BIAS: bool = false;

struct Params {
  batch: u32,          // N
  height: u32,         // H
  width: u32,          // W
  channels: u32,       // C
  out_height: u32,     // P
  out_width: u32,      // Q
  packs: u32,          // K / PACK
  filter_h: u32,       // R
  filter_w: u32,       // S
  filter_groups: u32,  // g
  stride_h: u32,
  stride_w: u32,
  pad_top: u32,
  pad_left: u32,
  dilation_h: u32,
  dilation_w: u32,
  rows: u32,           // of (n, p), summed by one slice of backward_filters
  slices: u32,
}

@group(0) @binding(0) var<storage, read> input: array<elem>;
@group(0) @binding(1) var<storage, read> filters: array<pack>;
@group(0) @binding(2) var<storage, read> grad_output: array<pack>;
@group(0) @binding(3) var<storage, read_write> output: array<pack>;
@group(0) @binding(4) var<storage, read_write> grad_input: array<elem>;
@group(0) @binding(5) var<storage, read_write> grad_filters: array<accum>;  // [slices, R, S, C/g, K]
@group(0) @binding(6) var<storage, read> bias: array<pack>;
@group(1) @binding(0) var<uniform> params: Params;

// One invocation per output pack. Filter taps outside the image are skipped, not read.
@compute @workgroup_size(WORKGROUP_SIZE)
fn forward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flat_index(id, groups);
  if (i >= params.batch * params.out_height * params.out_width * params.packs) { return; }
  let k = i % params.packs;
  let q = (i / params.packs) % params.out_width;
  let p = (i / params.packs / params.out_width) % params.out_height;
  let n = i / params.packs / params.out_width / params.out_height;
  let group_channels = params.channels / params.filter_groups;
  let first_channel = k / (params.packs / params.filter_groups) * group_channels;
  var sum = accum();
  for (var r = 0u; r < params.filter_h; r++) {
    let h = p * params.stride_h + r * params.dilation_h - params.pad_top; // wraps below zero, then fails the test
    if (h >= params.height) { continue; }
    for (var s = 0u; s < params.filter_w; s++) {
      let w = q * params.stride_w + s * params.dilation_w - params.pad_left;
      if (w >= params.width) { continue; }
      let origin = ((n * params.height + h) * params.width + w) * params.channels + first_channel;
      let tap = (r * params.filter_w + s) * group_channels * params.packs + k;
      for (var c = 0u; c < group_channels; c++) { sum += f32(input[origin + c]) * accum(filters[tap + c * params.packs]); }
    }
  }
  if (BIAS) { sum += accum(bias[k]); }
  output[i] = pack(activate(sum));
}

// Output position that reads input position `at` through tap `tap`, or an index beyond every output.
fn reader(at: u32, pad: u32, tap: u32, dilation: u32, stride: u32) -> u32 {
  if (at + pad < tap * dilation) { return 0xffffffffu; }
  let shifted = at + pad - tap * dilation;
  if (stride == 1u) { return shifted; } // whole-number division is slow
  return select(0xffffffffu, shifted / stride, shifted % stride == 0u);
}

// d loss / d input. One invocation per input element: a gather over the outputs that read it, in tap order.
@compute @workgroup_size(WORKGROUP_SIZE)
fn backward_input(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flat_index(id, groups);
  if (i >= params.batch * params.height * params.width * params.channels) { return; }
  let c = i % params.channels;
  let w = (i / params.channels) % params.width;
  let h = (i / params.channels / params.width) % params.height;
  let n = i / params.channels / params.width / params.height;
  let group_channels = params.channels / params.filter_groups;
  let group_packs = params.packs / params.filter_groups;
  let first_pack = c / group_channels * group_packs;
  var sum = 0.0;
  for (var r = 0u; r < params.filter_h; r++) {
    let p = reader(h, params.pad_top, r, params.dilation_h, params.stride_h);
    if (p >= params.out_height) { continue; }
    for (var s = 0u; s < params.filter_w; s++) {
      let q = reader(w, params.pad_left, s, params.dilation_w, params.stride_w);
      if (q >= params.out_width) { continue; }
      let origin = ((n * params.out_height + p) * params.out_width + q) * params.packs;
      let tap = ((r * params.filter_w + s) * group_channels + c % group_channels) * params.packs;
      for (var k = first_pack; k < first_pack + group_packs; k++) {
        sum += pack_sum(accum(grad_output[origin + k]) * accum(filters[tap + k]));
      }
    }
  }
  grad_input[i] = elem(sum);
}

// d loss / d filters, in slices of the (n, p) rows that `reduce` adds in order. One invocation per (slice, filter pack).
@compute @workgroup_size(WORKGROUP_SIZE)
fn backward_filters(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flat_index(id, groups);
  let group_channels = params.channels / params.filter_groups;
  if (i >= params.slices * params.filter_h * params.filter_w * group_channels * params.packs) { return; }
  let k = i % params.packs;
  var at = i / params.packs;
  let c = at % group_channels + k / (params.packs / params.filter_groups) * group_channels;
  at /= group_channels;
  let s = at % params.filter_w;
  let r = at / params.filter_w % params.filter_h;
  let first = at / params.filter_w / params.filter_h * params.rows;
  let end = min(first + params.rows, params.batch * params.out_height);
  var sum = accum();
  for (var row = first; row < end; row++) {
    let n = row / params.out_height;
    let h = row % params.out_height * params.stride_h + r * params.dilation_h - params.pad_top;
    if (h >= params.height) { continue; }
    for (var q = 0u; q < params.out_width; q++) {
      let w = q * params.stride_w + s * params.dilation_w - params.pad_left;
      if (w >= params.width) { continue; }
      let x = f32(input[((n * params.height + h) * params.width + w) * params.channels + c]);
      sum += x * accum(grad_output[(row * params.out_width + q) * params.packs + k]);
    }
  }
  grad_filters[i] = sum;
}
