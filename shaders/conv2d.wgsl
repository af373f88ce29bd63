// conv2d: dense two-dimensional convolution (cross-correlation), NHWC, and its gradients.
//
//   input    [N, H, W, C]      elem
//   weight   [R, S, C/g, K]    pack   g groups
//   output   [N, P, Q, K]      pack
//
//   bias     [K]               pack
//
//   output[n,p,q,k] = f(bias[k] + sum over r,s,c of input[n, p*stride - pad + r*dilation, q*stride - pad + s*dilation, c] * weight[r,s,c,k])
//   f: ACTIVATION of prelude/activation.wgsl
//
// Outside the image reads as zero. Definition: torch.nn.functional.conv2d.
//
//   grad_input[n,h,w,c]    = sum over r,s,k of grad_output[n,p,q,k] * weight[r,s,c,k], for p, q with p*stride - pad + r*dilation = h
//   grad_weight[r,s,c,k]   = sum over n,p,q of input[n,h,w,c] * grad_output[n,p,q,k], same relation
//
// Cost: at least one read of input and weight, and one write of the output, 2 N P Q R S C/g K operations; the gradients the same.
// Deterministic: the gradient of the input is a gather, that of the weight sums slices in order. Each has a second form for adapters
// on which a load costs more than arithmetic unless it is the same for a whole workgroup, as on CPUs: there the lanes of a
// workgroup differ in their positions (in their weight's elements) alone, and share what they load of the other operand.

// True if bias is added. Otherwise bias is bound but never read.
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
  rows: u32,           // of (n, p), summed by one slice of backward_weight
  slices: u32,
}

@group(0) @binding(0) var<storage, read> input: array<elem>;
@group(0) @binding(1) var<storage, read> weight: array<pack>;
@group(0) @binding(2) var<storage, read> grad_output: array<pack>;
@group(0) @binding(3) var<storage, read_write> output: array<pack>;
@group(0) @binding(4) var<storage, read_write> grad_input: array<elem>;
@group(0) @binding(5) var<storage, read_write> grad_weight: array<accum>;  // [slices, R, S, C/g, K]
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
      for (var c = 0u; c < group_channels; c++) { sum += f32(input[origin + c]) * accum(weight[tap + c * params.packs]); }
    }
  }
  if (BIAS) { sum += accum(bias[k]); }
  output[i] = pack(activate(sum));
}

const FOUR = 4u;
const COLUMNS = 8u / PACK;

// The same for software adapters, and one group. One invocation per FOUR consecutive positions of the output, all images' in a row, and
// COLUMNS packs. The weight is loaded once for a workgroup.
@compute @workgroup_size(WORKGROUP_SIZE)
fn forward_uniform(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = group.y * groups.x + group.x;
  let column_tiles = (params.packs + COLUMNS - 1u) / COLUMNS;
  let first_pack = i % column_tiles * COLUMNS;
  let first = (i / column_tiles * WORKGROUP_SIZE + lane) * FOUR;
  let places = params.batch * params.out_height * params.out_width;
  if (first >= places) { return; }
  var images: vec4u;
  var tops: vec4u; // input positions of the filter's first tap; those above and left of the image wrap below zero
  var lefts: vec4u;
  for (var j = 0u; j < FOUR; j++) {
    let at = min(first + j, places - 1u);
    lefts[j] = at % params.out_width * params.stride_w - params.pad_left;
    tops[j] = at / params.out_width % params.out_height * params.stride_h - params.pad_top;
    images[j] = at / params.out_width / params.out_height * params.height;
  }

  var sums: array<array<accum, FOUR>, COLUMNS>;
  for (var r = 0u; r < params.filter_h; r++) {
    let h = tops + r * params.dilation_h;
    for (var s = 0u; s < params.filter_w; s++) {
      let w = lefts + s * params.dilation_w;
      let inside = (h < vec4u(params.height)) & (w < vec4u(params.width));
      let origin = select(vec4u(), ((images + h) * params.width + w) * params.channels, inside);
      let tap = (r * params.filter_w + s) * params.channels * params.packs;
      for (var c = 0u; c < params.channels; c++) {
        var x: vec4f;
        for (var j = 0u; j < FOUR; j++) { x[j] = f32(input[origin[j] + c]); }
        x = select(vec4f(), x, inside);
        for (var k = 0u; k < COLUMNS; k++) {
          let f = accum(weight[tap + c * params.packs + min(first_pack + k, params.packs - 1u)]);
          for (var j = 0u; j < FOUR; j++) { sums[k][j] += x[j] * f; }
        }
      }
    }
  }
  for (var k = 0u; k < COLUMNS && first_pack + k < params.packs; k++) {
    var start = accum();
    if (BIAS) { start = accum(bias[first_pack + k]); }
    for (var j = 0u; j < min(FOUR, places - first); j++) {
      output[(first + j) * params.packs + first_pack + k] = pack(activate(sums[k][j] + start));
    }
  }
}

// Output position that reads input position `at` through tap `tap`, or an index beyond every output.
fn reader(at: u32, pad: u32, tap: u32, dilation: u32, stride: u32) -> u32 {
  if (at + pad < tap * dilation) { return 0xffffffffu; }
  let shifted = at + pad - tap * dilation;
  if (stride == 1u) { return shifted; } // integer division is slow
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
        sum += pack_sum(accum(grad_output[origin + k]) * accum(weight[tap + k]));
      }
    }
  }
  grad_input[i] = elem(sum);
}

const CHANNELS = 8u;

// The same for software adapters, and one group. One invocation per FOUR consecutive positions of the input and CHANNELS channels.
@compute @workgroup_size(WORKGROUP_SIZE)
fn backward_input_uniform(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = group.y * groups.x + group.x;
  let channel_tiles = (params.channels + CHANNELS - 1u) / CHANNELS;
  let first_channel = i % channel_tiles * CHANNELS;
  let first = (i / channel_tiles * WORKGROUP_SIZE + lane) * FOUR;
  let places = params.batch * params.height * params.width;
  if (first >= places) { return; }

  var sums: array<vec4f, CHANNELS>;
  for (var r = 0u; r < params.filter_h; r++) {
    for (var s = 0u; s < params.filter_w; s++) {
      var origin: vec4u;
      var inside: vec4<bool>;
      for (var j = 0u; j < FOUR; j++) {
        let at = min(first + j, places - 1u);
        let q = reader(at % params.width, params.pad_left, s, params.dilation_w, params.stride_w);
        let p = reader(at / params.width % params.height, params.pad_top, r, params.dilation_h, params.stride_h);
        let n = at / params.width / params.height;
        inside[j] = p < params.out_height && q < params.out_width;
        origin[j] = select(0u, ((n * params.out_height + p) * params.out_width + q) * params.packs, inside[j]);
      }
      let tap = (r * params.filter_w + s) * params.channels;
      for (var k = 0u; k < params.packs; k++) {
        var grads: array<accum, FOUR>;
        for (var j = 0u; j < FOUR; j++) { grads[j] = select(accum(), accum(grad_output[origin[j] + k]), inside[j]); }
        for (var c = 0u; c < CHANNELS; c++) {
          let f = accum(weight[(tap + min(first_channel + c, params.channels - 1u)) * params.packs + k]);
          sums[c] += vec4f(pack_sum(grads[0] * f), pack_sum(grads[1] * f), pack_sum(grads[2] * f), pack_sum(grads[3] * f));
        }
      }
    }
  }
  for (var j = 0u; j < min(FOUR, places - first); j++) {
    for (var c = 0u; c < min(CHANNELS, params.channels - first_channel); c++) {
      grad_input[(first + j) * params.channels + first_channel + c] = elem(sums[c][j]);
    }
  }
}

// d loss / d weight, in slices of the (n, p) rows that `reduce` adds in order. One invocation per (slice, weight pack).
@compute @workgroup_size(WORKGROUP_SIZE)
fn backward_weight(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
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
  grad_weight[i] = sum;
}

// The same for software adapters, and one group. One invocation per slice, FOUR consecutive of the weight's R*S*C rows and COLUMNS packs.
@compute @workgroup_size(WORKGROUP_SIZE)
fn backward_weight_uniform(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = group.y * groups.x + group.x;
  let column_tiles = (params.packs + COLUMNS - 1u) / COLUMNS;
  let rows = params.filter_h * params.filter_w * params.channels;
  let row_tiles = (rows + FOUR * WORKGROUP_SIZE - 1u) / (FOUR * WORKGROUP_SIZE);
  let first_pack = i % column_tiles * COLUMNS;
  let first = (i / column_tiles % row_tiles * WORKGROUP_SIZE + lane) * FOUR;
  let slice = i / column_tiles / row_tiles;
  if (slice >= params.slices || first >= rows) { return; }
  var channel: vec4u;
  var below: vec4u; // the filter's position, less the padding; negative numbers wrap
  var right: vec4u;
  for (var j = 0u; j < FOUR; j++) {
    let at = min(first + j, rows - 1u);
    channel[j] = at % params.channels;
    right[j] = at / params.channels % params.filter_w * params.dilation_w - params.pad_left;
    below[j] = at / params.channels / params.filter_w * params.dilation_h - params.pad_top;
  }

  var sums: array<array<accum, FOUR>, COLUMNS>;
  let end = min((slice + 1u) * params.rows, params.batch * params.out_height);
  for (var row = slice * params.rows; row < end; row++) {
    let h = row % params.out_height * params.stride_h + below;
    let start = (row / params.out_height * params.height + h) * params.width;
    for (var q = 0u; q < params.out_width; q++) {
      let w = q * params.stride_w + right;
      let inside = (h < vec4u(params.height)) & (w < vec4u(params.width));
      let origin = select(vec4u(), (start + w) * params.channels + channel, inside);
      var x: vec4f;
      for (var j = 0u; j < FOUR; j++) { x[j] = f32(input[origin[j]]); }
      x = select(vec4f(), x, inside);
      for (var k = 0u; k < COLUMNS; k++) {
        let grad = accum(grad_output[(row * params.out_width + q) * params.packs + min(first_pack + k, params.packs - 1u)]);
        for (var j = 0u; j < FOUR; j++) { sums[k][j] += x[j] * grad; }
      }
    }
  }
  for (var j = 0u; j < min(FOUR, rows - first); j++) {
    for (var k = 0u; k < COLUMNS && first_pack + k < params.packs; k++) {
      grad_weight[(slice * rows + first + j) * params.packs + first_pack + k] = sums[k][j];
    }
  }
}
