// hinge_loss: truncated L1 on scores: marked positions are pushed above a threshold, the others below its negative.
//
//   scores       [M]     elem
//   mask         [M]     f32   1 where marked, 0 elsewhere
//   loss         [M]     f32   how far each falls short of its side
//   terms        [M, 8]  f32   summed over M by `reduce` to totals
//   totals       [8]     f32   loss, count, hits of the marked; the same of the others; two unused
//   summary      [3]     f32   loss, share of hits among the marked, among the others
//   grad_loss    [1]     f32   or [M] where losses are not reduced
//   grad_scores  [M]     elem
//
//   short = max(0, threshold - score) where marked, max(0, threshold + score) elsewhere
//   loss  = mean of short over the marked + mean of short over the others; or the sum of all; or short itself
//   hit   = score beyond the threshold on its own side
//
// A mean over nothing is 0, and a share of nothing 1. Definition: GRAD eq. 4, SimpleNet's hinge.
// Cost: reads score and mask, writes eight terms; the gradient reads score and mask and writes one; 6 operations.

// 0: mean over each side. 1: sum. 2: none, each position by itself.
override REDUCTION: u32 = 0;

struct Params {
  positions: u32,  // M
  threshold: f32,
}

@group(0) @binding(0) var<storage, read> scores: array<elem>;
@group(0) @binding(1) var<storage, read> mask: array<f32>;
@group(0) @binding(2) var<storage, read> totals: array<f32>;
@group(0) @binding(3) var<storage, read> grad_loss: array<f32>;
@group(0) @binding(4) var<storage, read_write> terms: array<vec4f>;
@group(0) @binding(5) var<storage, read_write> summary: array<f32>;
@group(0) @binding(6) var<storage, read_write> grad_scores: array<elem>;
@group(0) @binding(7) var<storage, read_write> loss: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

// How far a score falls short, on either side.
fn shortfall(i: u32, marked: bool) -> f32 {
  let score = f32(scores[i]);
  return max(0.0, params.threshold + select(score, -score, marked));
}

// One invocation per position.
@compute @workgroup_size(WORKGROUP_SIZE)
fn position_loss(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flat_index(id, groups);
  if (i < params.positions) { loss[i] = shortfall(i, mask[i] > 0.5); }
}

// One invocation per position.
@compute @workgroup_size(WORKGROUP_SIZE)
fn position_terms(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flat_index(id, groups);
  if (i >= params.positions) { return; }
  let marked = mask[i] > 0.5;
  let short = shortfall(i, marked);
  let term = vec3f(short, 1.0, select(0.0, 1.0, short <= 0.0));
  terms[2u * i] = vec4f(select(vec3f(), term, marked), 0.0);
  terms[2u * i + 1u] = vec4f(select(term, vec3f(), marked), 0.0);
}

fn share(sum: f32, count: f32, of_nothing: f32) -> f32 { return select(sum / max(count, 1.0), of_nothing, count == 0.0); }

// One invocation in all.
@compute @workgroup_size(1)
fn summarise() {
  if (REDUCTION == 0u) { summary[0] = share(totals[0], totals[1], 0.0) + share(totals[4], totals[5], 0.0); }
  else { summary[0] = totals[0] + totals[4]; }
  summary[1] = share(totals[2], totals[1], 1.0);
  summary[2] = share(totals[6], totals[5], 1.0);
}

// One invocation per position. At the threshold itself the hinge is flat.
@compute @workgroup_size(WORKGROUP_SIZE)
fn backward_scores(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flat_index(id, groups);
  if (i >= params.positions) { return; }
  let marked = mask[i] > 0.5;
  var slope = select(1.0, -1.0, marked) * grad_loss[select(0u, i, REDUCTION == 2u)];
  if (REDUCTION == 0u) { slope /= max(select(totals[5], totals[1], marked), 1.0); }
  grad_scores[i] = elem(select(0.0, slope, shortfall(i, marked) > 0.0));
}
