// average_pool: mean over a window, NHWC.
//
//   input    [N, H, W, C]  pack
//   output   [N, P, Q, C]  pack
//
//   output[n,p,q,c] = sum over r < R, s < S of input[n, p*stride_h - pad_h + r, q*stride_w - pad_w + s, c] / divisor
//
// Outside the image reads as zero. Definition and the meaning of count_include_pad: torch.nn.functional.avg_pool2d.

// true: the divisor is R * S. false: the number of window elements inside the image.
override COUNT_INCLUDE_PAD: bool = true;

struct Params {
  batch: u32,       // N
  height: u32,      // H
  width: u32,       // W
  packs: u32,       // C / PACK
  out_height: u32,  // P
  out_width: u32,   // Q
  window_h: u32,    // R
  window_w: u32,    // S
  stride_h: u32,
  stride_w: u32,
  pad_h: u32,
  pad_w: u32,
}

@group(0) @binding(0) var<storage, read> input: array<pack>;
@group(0) @binding(1) var<storage, read_write> output: array<pack>;
@group(1) @binding(0) var<uniform> params: Params;

// One invocation per output pack, window elements in row order.
@compute @workgroup_size(WORKGROUP_SIZE)
fn forward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flat_index(id, groups);
  if (i >= params.batch * params.out_height * params.out_width * params.packs) { return; }
  let c = i % params.packs;
  let q = (i / params.packs) % params.out_width;
  let p = (i / params.packs / params.out_width) % params.out_height;
  let n = i / params.packs / params.out_width / params.out_height;
  // The part of the window that lies inside the image, clipped once.
  let top = p * params.stride_h;
  let left = q * params.stride_w;
  let first = vec2u(max(top, params.pad_h) - params.pad_h, max(left, params.pad_w) - params.pad_w);
  let end = vec2u(
    min(max(top + params.window_h, params.pad_h) - params.pad_h, params.height),
    min(max(left + params.window_w, params.pad_w) - params.pad_w, params.width),
  );
  var sum = accum();
  for (var h = first.x; h < end.x; h++) {
    for (var w = first.y; w < end.y; w++) {
      sum += accum(input[((n * params.height + h) * params.width + w) * params.packs + c]);
    }
  }
  let inside = f32((max(end.x, first.x) - first.x) * (max(end.y, first.y) - first.y));
  let divisor = select(inside, f32(params.window_h * params.window_w), COUNT_INCLUDE_PAD);
  output[i] = pack(sum / max(divisor, 1.0));
}
