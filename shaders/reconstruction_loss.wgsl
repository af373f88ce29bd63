// reconstruction_loss: how far a reconstruction is from its target after similarity-based refinement, per position.
//
//   a           [M, C]  pack   target features
//   r           [M, C]  pack   reconstruction
//   loss        [M]     f32    (1 - s)^2 mse
//   score       [M]     f32    (1 - s) |r - a|, the anomaly map
//   grad_loss   [M]     f32
//   grad_r      [M, C]  pack
//
//   mse = mean over c of (r - a)^2
//   cos = a.r / (max(|a|, tiny) max(|r|, tiny))
//   m   = 1 - round(clamp(mse / (2 threshold), 0, 1))    1 while mse <= threshold, else 0; no gradient through round
//   s   = 0.3 m + 0.7 cos
//   d loss / d r_c = 2 (1-s)^2 (r_c - a_c)/C - 2 (1-s) mse 0.7 d cos/d r_c,   d cos/d r = a/(|a||r|) - cos r/|r|^2
//
// Definition: GRAD, similarity-based refinement; x = s a + (1 - s) r is never stored.

struct Params {
  positions: u32,     // M
  packs: u32,         // C / PACK
  threshold: f32,     // of mse, in squared units of the features
}

const TINY = 1e-8;
const MASK_SHARE = 0.3;
const COSINE_SHARE = 0.7;

@group(0) @binding(0) var<storage, read> a: array<pack>;
@group(0) @binding(1) var<storage, read> r: array<pack>;
@group(0) @binding(2) var<storage, read> grad_loss: array<f32>;
@group(0) @binding(3) var<storage, read_write> loss: array<f32>;
@group(0) @binding(4) var<storage, read_write> score: array<f32>;
@group(0) @binding(5) var<storage, read_write> grad_r: array<pack>;
@group(1) @binding(0) var<uniform> params: Params;

struct Similarity { squared: f32, mse: f32, norm_a: f32, norm_r: f32, cosine: f32, s: f32 }

fn similarity_at(position: u32) -> Similarity {
  let first = position * params.packs;
  var squared = accum();
  var aa = accum();
  var rr = accum();
  var ar = accum();
  for (var i = first; i < first + params.packs; i++) {
    let x = accum(a[i]);
    let y = accum(r[i]);
    squared += (y - x) * (y - x);
    aa += x * x;
    rr += y * y;
    ar += x * y;
  }
  let total = pack_sum(squared);
  let mse = total / f32(params.packs * PACK);
  let norm_a = max(sqrt(pack_sum(aa)), TINY);
  let norm_r = max(sqrt(pack_sum(rr)), TINY);
  let cosine = pack_sum(ar) / norm_a / norm_r;
  let m = select(0.0, 1.0, mse <= params.threshold);
  return Similarity(total, mse, norm_a, norm_r, cosine, MASK_SHARE * m + COSINE_SHARE * cosine);
}

// One invocation per position.
@compute @workgroup_size(WORKGROUP_SIZE)
fn forward_loss(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flat_index(id, groups);
  if (i >= params.positions) { return; }
  let at = similarity_at(i);
  loss[i] = (1.0 - at.s) * (1.0 - at.s) * at.mse;
}

// One invocation per position.
@compute @workgroup_size(WORKGROUP_SIZE)
fn forward_score(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flat_index(id, groups);
  if (i >= params.positions) { return; }
  let at = similarity_at(i);
  score[i] = (1.0 - at.s) * sqrt(at.squared);
}

// One invocation per position. Where |r| is clamped, cos is linear in r and its second term vanishes.
@compute @workgroup_size(WORKGROUP_SIZE)
fn backward_r(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let position = flat_index(id, groups);
  if (position >= params.positions) { return; }
  let at = similarity_at(position);
  let distance = 1.0 - at.s;
  let towards = grad_loss[position] * 2.0 * distance * distance / f32(params.packs * PACK);
  let along = grad_loss[position] * 2.0 * distance * at.mse * COSINE_SHARE;
  let from_a = along / at.norm_a / at.norm_r;
  let from_r = select(along * at.cosine / at.norm_r / at.norm_r, 0.0, at.norm_r <= TINY);
  let first = position * params.packs;
  for (var i = first; i < first + params.packs; i++) {
    let x = accum(a[i]);
    let y = accum(r[i]);
    grad_r[i] = pack(towards * (y - x) - from_a * x + from_r * y);
  }
}
