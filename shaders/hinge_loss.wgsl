// hinge_loss: truncated L1 loss on scores: pushes marked positions above a threshold, the others below its negative.
//
//   scores          [M]     pack
//   mask            [M]     f32   1 where marked, 0 elsewhere
//   loss            [M]     f32   shortfall of each score from the threshold on its side
//   terms           [S, 8]  f32   for S slices of the positions; `reduce` sums them over S to totals
//   totals          [8]     f32   loss, count, hits of the marked, one unused; the same of the others
//   summary         [3]     f32   loss, share of hits among the marked, among the others
//   grad_loss       [1]     f32   of the mean or the sum
//   grad_positions  [M]     f32   of the losses by themselves
//   grad_scores     [M]     pack
//
//   short = max(0, threshold - score) where marked, max(0, threshold + score) elsewhere
//   loss  = mean of short over the marked + mean of short over the others; or the sum of all; or short itself
//   hit   = score beyond the threshold on its own side, or at it
//
// The shortfall of a score that is NaN is NaN. A mean over nothing is 0, and a share of nothing 1. Counts are exact up
// to 2^24 positions.
// Definition: GRAD eq. 4, SimpleNet's hinge.
// Cost: reads score and mask, and writes eight terms a slice or one loss a position; the gradient reads score and mask and
// writes one; 12 operations.

// True if the loss is the sum of all. Otherwise it is the mean over one side plus that over the other.
override SUM: bool = false;

struct Params {
  packs: u32,  // M / PACK
  slice: u32,  // packs of a slice
  threshold: f32,
}

@group(0) @binding(0) var<storage, read> scores: array<pack>;
@group(0) @binding(1) var<storage, read> mask: array<accum>;
@group(0) @binding(2) var<storage, read> totals: array<f32>;
@group(0) @binding(3) var<storage, read> grad_loss: array<f32>;
@group(0) @binding(4) var<storage, read> grad_positions: array<accum>;
@group(0) @binding(5) var<storage, read_write> terms: array<vec4f>;
@group(0) @binding(6) var<storage, read_write> summary: array<f32>;
@group(0) @binding(7) var<storage, read_write> grad_scores: array<pack>;
@group(0) @binding(8) var<storage, read_write> loss: array<accum>;
@group(1) @binding(0) var<uniform> params: Params;

// 1 where marked, -1 elsewhere.
fn side_of(i: u32) -> accum { return select(accum(-1.0), accum(1.0), mask[i] > accum(0.5)); }

// Shortfall of a score, on either side.
fn shortfall(i: u32) -> accum {
  let short = params.threshold - side_of(i) * accum(scores[i]);
  return select(max(accum(0.0), short), short, is_nan(short));
}

// d shortfall / d score: flat at the threshold itself.
fn slope(i: u32) -> accum { return select(accum(0.0), -side_of(i), shortfall(i) > accum(0.0)); }

// One invocation per pack.
@compute @workgroup_size(WORKGROUP_SIZE)
fn position_loss(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flat_index(id, groups);
  if (i < params.packs) { loss[i] = shortfall(i); }
}

// One invocation per slice: it walks its positions in order. Slices follow from the number of positions alone.
@compute @workgroup_size(WORKGROUP_SIZE)
fn slice_terms(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let slice = flat_index(id, groups);
  if (slice * params.slice >= params.packs) { return; }
  let end = min((slice + 1u) * params.slice, params.packs);
  let zero = accum(0.0);
  let one = accum(1.0);
  var marked_short = zero;
  var marked_count = zero;
  var marked_hits = zero;
  var other_short = zero;
  var other_count = zero;
  var other_hits = zero;
  for (var i = slice * params.slice; i < end; i++) {
    let marked = mask[i] > accum(0.5);
    let short = shortfall(i);
    let hit = select(zero, one, short <= zero);
    marked_short += select(zero, short, marked);
    marked_count += select(zero, one, marked);
    marked_hits += select(zero, hit, marked);
    other_short += select(short, zero, marked);
    other_count += select(one, zero, marked);
    other_hits += select(hit, zero, marked);
  }
  terms[2u * slice] = vec4f(pack_sum(marked_short), pack_sum(marked_count), pack_sum(marked_hits), 0.0);
  terms[2u * slice + 1u] = vec4f(pack_sum(other_short), pack_sum(other_count), pack_sum(other_hits), 0.0);
}

fn share(sum: f32, count: f32, of_nothing: f32) -> f32 { return select(sum / max(count, 1.0), of_nothing, count == 0.0); }

// One invocation in all.
@compute @workgroup_size(1)
fn summarise() {
  if (SUM) { summary[0] = totals[0] + totals[4]; }
  else { summary[0] = share(totals[0], totals[1], 0.0) + share(totals[4], totals[5], 0.0); }
  summary[1] = share(totals[2], totals[1], 1.0);
  summary[2] = share(totals[6], totals[5], 1.0);
}

// One invocation per pack.
@compute @workgroup_size(WORKGROUP_SIZE)
fn backward_scores(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flat_index(id, groups);
  if (i >= params.packs) { return; }
  var gradient = grad_loss[0] * slope(i);
  if (!SUM) { gradient /= max(select(accum(totals[5]), accum(totals[1]), mask[i] > accum(0.5)), accum(1.0)); }
  grad_scores[i] = pack(gradient);
}

// One invocation per pack.
@compute @workgroup_size(WORKGROUP_SIZE)
fn backward_positions(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flat_index(id, groups);
  if (i < params.packs) { grad_scores[i] = pack(grad_positions[i] * slope(i)); }
}
