// grid_sample: sampling of an NHWC image at normalised positions, bilinear or of the nearest pixel, and its gradients.
//
//   input    [N, H, W, C]  pack   image
//   grid     [N, P, Q, 2]  f32    position (x, y) in [-1, 1]; x runs along W, y along H
//   output   [N, P, Q, C]  pack
//
//   output[n,p,q,c] = sum over h,w of  tent(y - h) * tent(x - w) * input[n,h,w,c]
//
// with (x, y) in pixels and tent(t) = max(0, 1 - |t|), so at most four terms are non-zero. NEAREST rounds (x, y), halves
// to even, which leaves one term. PADDING gives the meaning of a position outside the image; outside pixels are never read.
// Definition and the meaning of align_corners: torch.nn.functional.grid_sample.
//
// Cost: forward reads 4 C and writes C elements a sample, for 6 C operations; the image's gradient reads C a sample and
// writes the image once; the grid's reads 5 C a sample.

// true: -1 and 1 are the centres of the corner pixels. false: the outer edges of those pixels.
override ALIGN_CORNERS: bool = false;
// true: the nearest pixel. false: bilinear.
override NEAREST: bool = false;
// Positions outside the image: 0 zeros: they read as zero. 1 border: they move to the nearest border pixel's centre.
// 2 reflection: they are mirrored at the image's edge, or at the border pixels' centres with ALIGN_CORNERS.
override PADDING: u32 = 0;

struct Params {
  batch: u32,       // N
  height: u32,      // H
  width: u32,       // W
  packs: u32,       // C / PACK
  out_height: u32,  // P
  out_width: u32,   // Q
}

@group(0) @binding(0) var<storage, read> input: array<pack>;
@group(0) @binding(1) var<storage, read> grid: array<vec2f>;
@group(0) @binding(2) var<storage, read> grad_output: array<pack>;
@group(0) @binding(3) var<storage, read_write> output: array<pack>;
@group(0) @binding(4) var<storage, read_write> grad_input: array<pack>;
@group(0) @binding(5) var<storage, read_write> grad_grid: array<vec2f>;
@group(0) @binding(6) var<storage, read_write> ranks: array<u32>;       // [N*P*Q] place of a sample in its block and cell
@group(0) @binding(7) var<storage, read_write> counts: array<u32>;      // [N, cells, blocks]
@group(0) @binding(8) var<storage, read> starts: array<u32>;            // [N*cells*blocks + 1] exclusive sums of counts
@group(0) @binding(9) var<storage, read> ranks_read: array<u32>;        // ranks
@group(0) @binding(10) var<storage, read_write> list: array<u32>;       // [N*P*Q] samples by cell
@group(0) @binding(11) var<storage, read> list_read: array<u32>;        // list
@group(1) @binding(0) var<uniform> params: Params;

// Pixels per unit of grid coordinate, per axis.
fn pixel_scale() -> vec2f {
  let size = vec2f(f32(params.width), f32(params.height));
  return 0.5 * select(size, size - 1.0, ALIGN_CORNERS);
}

// Pixel position of a grid coordinate. Pixel (h, w) is centred at (x, y) = (w, h).
fn stated_position(sample: u32) -> vec2f {
  return (grid[sample] + 1.0) * pixel_scale() - select(vec2f(0.5), vec2f(0.0), ALIGN_CORNERS);
}

// Mirror images of the axis repeat with twice `span`; position 0 of the first begins at `low`.
struct Mirror { low: f32, span: vec2f, flips: vec2f, past: vec2f }

fn mirror_of(position: vec2f) -> Mirror {
  let size = vec2f(f32(params.width), f32(params.height));
  let low = select(-0.5, 0.0, ALIGN_CORNERS);
  let span = select(size, size - 1.0, ALIGN_CORNERS);
  let distance = abs(position - low);
  let flips = floor(distance / max(span, vec2f(1.0)));
  return Mirror(low, span, flips, distance - flips * span);
}

fn is_odd(flips: vec2f) -> vec2<bool> { return flips - 2.0 * floor(0.5 * flips) > vec2f(0.5); }

// Position after padding, within the image unless it pads with zeros.
fn padded_position(position: vec2f) -> vec2f {
  var at = position;
  if (PADDING == 0u) { return at; }
  if (PADDING == 2u) {
    let mirror = mirror_of(position);
    at = mirror.low + select(mirror.past, mirror.span - mirror.past, is_odd(mirror.flips));
  }
  return clamp(at, vec2f(0.0), vec2f(f32(params.width), f32(params.height)) - 1.0);
}

// d padded position / d stated position, per axis: 0 where it is held at the border, as PyTorch also has it exactly there.
fn padding_slope(position: vec2f) -> vec2f {
  if (PADDING == 0u) { return vec2f(1.0); }
  let at = padded_position(position);
  let inside = (at > vec2f(0.0)) & (at < vec2f(f32(params.width), f32(params.height)) - 1.0);
  var slope = vec2f(1.0);
  if (PADDING == 2u) {
    let mirror = mirror_of(position);
    slope = select(vec2f(1.0), vec2f(-1.0), is_odd(mirror.flips)) * select(vec2f(1.0), vec2f(-1.0), position < vec2f(mirror.low));
  }
  return select(vec2f(0.0), slope, inside);
}

// Pixel position that a sample reads.
fn pixel_position(sample: u32) -> vec2f {
  let position = padded_position(stated_position(sample));
  if (NEAREST) { return round(position); }
  return position;
}

fn tent(t: vec2f) -> f32 {
  let w = max(vec2f(0.0), 1.0 - abs(t));
  return w.x * w.y;
}

// input[n, at.y, at.x, c], or zero outside the image.
fn pixel(n: u32, at: vec2i, c: u32) -> accum {
  let size = vec2i(i32(params.width), i32(params.height));
  if (any(at < vec2i(0)) || any(at >= size)) { return accum(); }
  let row = n * params.height + u32(at.y);
  return accum(input[(row * params.width + u32(at.x)) * params.packs + c]);
}

// One invocation per output pack.
@compute @workgroup_size(WORKGROUP_SIZE)
fn forward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flat_index(id, groups);
  let samples_per_image = params.out_height * params.out_width;
  if (i >= params.batch * samples_per_image * params.packs) { return; }
  let c = i % params.packs;
  let sample = i / params.packs;
  let n = sample / samples_per_image;

  let position = pixel_position(sample);
  let corner = floor(position);
  let at = vec2i(corner);
  if (NEAREST) {
    output[i] = pack(pixel(n, at, c));
    return;
  }
  let f = position - corner;
  let top = mix(pixel(n, at, c), pixel(n, at + vec2i(1, 0), c), f.x);
  let bottom = mix(pixel(n, at + vec2i(0, 1), c), pixel(n, at + vec2i(1, 1), c), f.x);
  output[i] = pack(mix(top, bottom, f.y));
}

// d loss / d input is a scatter: every sample adds to four pixels. Done as a gather, so that each element has one
// writer and one order of summation, from a list of the samples by cell. A cell is the square between four pixels that
// a sample falls in, named by its top-left pixel; there are (H+1)(W+1) of them, one row and column outside the image.
// Samples farther out touch nothing and are in no list.
//
//   1. rank     counts, for each block of BLOCK samples, those in each cell, and each sample's place among them
//   2. scan     (another kernel) turns the counts [N, cell, block] into starts: cells in order, blocks in order
//   3. place    list[start + rank] = sample
//   4. gather   each pixel sums the lists of its four cells, in order
//
// Integer work independent of C, no atomics, any skew, equal bits every time.

const BLOCK = 64u;
const NO_CELL = 0xffffffffu;

// Cell of a sample within its image, or NO_CELL.
fn cell_of(sample: u32) -> u32 {
  let corner = floor(pixel_position(sample));
  let size = vec2f(f32(params.width), f32(params.height));
  // Written so that NaN is outside.
  if (!(all(corner >= vec2f(-1.0)) && all(corner < size))) { return NO_CELL; }
  let at = vec2u(vec2i(corner) + 1);
  return at.y * (params.width + 1u) + at.x;
}

fn blocks_per_image() -> u32 { return (params.out_height * params.out_width + BLOCK - 1u) / BLOCK; }

var<workgroup> block_cells: array<u32, BLOCK>;

// One workgroup per block of samples of one image. counts is zero before: a cell that is first met in this block has
// one lane to write its count, the lane of its last sample.
@compute @workgroup_size(BLOCK)
fn rank(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let samples_per_image = params.out_height * params.out_width;
  let blocks = blocks_per_image();
  let turn = group.y * groups.x + group.x;
  let n = turn / blocks;
  let nth = turn % blocks;
  let at = nth * BLOCK + lane;
  let sample = n * samples_per_image + at;
  let in_range = n < params.batch && at < samples_per_image;
  var cell = NO_CELL;
  if (in_range) { cell = cell_of(sample); }
  block_cells[lane] = cell;
  workgroupBarrier();
  if (cell == NO_CELL) { return; }
  var before = 0u;
  var after = 0u;
  for (var other = 0u; other < BLOCK; other++) {
    let same = u32(block_cells[other] == cell);
    before += select(0u, same, other < lane);
    after += select(0u, same, other > lane);
  }
  ranks[sample] = before;
  let cells = (params.height + 1u) * (params.width + 1u);
  if (after == 0u) { counts[(n * cells + cell) * blocks + nth] = before + 1u; }
}

// One invocation per sample.
@compute @workgroup_size(WORKGROUP_SIZE)
fn place(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let sample = flat_index(id, groups);
  let samples_per_image = params.out_height * params.out_width;
  if (sample >= params.batch * samples_per_image) { return; }
  let cell = cell_of(sample);
  if (cell == NO_CELL) { return; }
  let n = sample / samples_per_image;
  let nth = (sample % samples_per_image) / BLOCK;
  let cells = (params.height + 1u) * (params.width + 1u);
  list[starts[(n * cells + cell) * blocks_per_image() + nth] + ranks_read[sample]] = sample;
}

// One invocation per input pack. Costs the samples of four cells.
@compute @workgroup_size(WORKGROUP_SIZE)
fn gather(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flat_index(id, groups);
  if (i >= params.batch * params.height * params.width * params.packs) { return; }
  let c = i % params.packs;
  let w = (i / params.packs) % params.width;
  let h = (i / params.packs / params.width) % params.height;
  let n = i / params.packs / params.width / params.height;
  let blocks = blocks_per_image();
  let cells_in_row = params.width + 1u;
  let cells = (params.height + 1u) * cells_in_row;
  let centre = vec2f(f32(w), f32(h));
  var sum = accum();
  // Two cells of one row are neighbours in the list: one run of samples each for the row above and the row below.
  for (var row = h; row <= h + 1u; row++) {
    let cell = n * cells + row * cells_in_row + w;
    let end = starts[(cell + 2u) * blocks];
    for (var k = starts[cell * blocks]; k < end; k++) {
      let sample = list_read[k];
      sum += tent(pixel_position(sample) - centre) * accum(grad_output[sample * params.packs + c]);
    }
  }
  grad_input[i] = pack(sum);
}

// Gradient of a sample's position, in pixels, summed over the channel packs first, first + step, ... At a pixel centre,
// where tent has a kink, it is the right derivative.
fn position_gradient(sample: u32, first: u32, step: u32) -> vec2f {
  let n = sample / (params.out_height * params.out_width);
  let position = pixel_position(sample);
  let corner = floor(position);
  let at = vec2i(corner);
  let f = position - corner;
  var sum = vec2f();
  for (var c = first; c < params.packs; c += step) {
    let g = accum(grad_output[sample * params.packs + c]);
    let nw = pixel(n, at, c);
    let ne = pixel(n, at + vec2i(1, 0), c);
    let sw = pixel(n, at + vec2i(0, 1), c);
    let se = pixel(n, at + vec2i(1, 1), c);
    sum.x += pack_sum(g * mix(ne - nw, se - sw, f.y));
    sum.y += pack_sum(g * mix(sw - nw, se - ne, f.x));
  }
  return sum;
}

// d pixel position / d grid, per axis.
fn position_slope(sample: u32) -> vec2f { return pixel_scale() * padding_slope(stated_position(sample)); }

var<workgroup> lane_sums: array<vec2f, WORKGROUP_SIZE>;

// d loss / d grid for many channels. One workgroup per sample: lanes stride over the channels, then a tree adds the
// lanes in a fixed order.
@compute @workgroup_size(WORKGROUP_SIZE)
fn backward_grid(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let sample = group.y * groups.x + group.x;
  let in_range = sample < params.batch * params.out_height * params.out_width;
  var sum = vec2f();
  if (in_range) { sum = position_gradient(sample, lane, WORKGROUP_SIZE); }

  lane_sums[lane] = sum;
  workgroupBarrier();
  for (var width = WORKGROUP_SIZE / 2; width > 0; width /= 2) {
    if (lane < width) { lane_sums[lane] += lane_sums[lane + width]; }
    workgroupBarrier();
  }
  if (lane == 0 && in_range) { grad_grid[sample] = lane_sums[0] * position_slope(sample); }
}

// d loss / d grid for few channels. One invocation per sample.
@compute @workgroup_size(WORKGROUP_SIZE)
fn backward_grid_narrow(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let sample = flat_index(id, groups);
  if (sample >= params.batch * params.out_height * params.out_width) { return; }
  grad_grid[sample] = position_gradient(sample, 0u, 1u) * position_slope(sample);
}
