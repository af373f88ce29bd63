// winograd: a 3x3 convolution of stride 1 in tiles of 2 x 2 outputs, F(2x2, 3x3): what comes before and behind its products. NHWC.
//
//   input          [N, H, W, C]    pack
//   weight         [3, 3, C, K]    pack
//   bias           [K]             pack
//   image_terms    [16, T, C]      pack   V: T tiles, (image, row, column), of some images
//   weight_terms   [16, C, K]      pack   U
//   products       [16, T, K]      pack   M[i] = V[i] U[i], by `matmul`
//   output         [N, P, Q, K]    pack
//
//   V = B^T d B     d: the 4 x 4 pixels that a tile sees, of one channel
//   U = G w G^T     w: 3 x 3 taps
//   y = A^T m A     m: the 16 products, y: the tile's 2 x 2 outputs;   output = f(bias + y)
//
//   B^T = 1  0 -1  0     G =  1    0    0       A^T = 1  1  1  0
//         0  1  1  0         1/2  1/2  1/2            0  1 -1 -1
//         0 -1  1  0         1/2 -1/2  1/2
//         0  1  0 -1          0    0    1
//
// f: ACTIVATION of prelude/activation.wgsl. Outside the image reads as zero; outputs of a tile beyond the last are not stored. The gradient
// of the image is the same with turned taps and the products' second operand transposed. Definition: Lavin and Gray, "Fast
// Algorithms for Convolutional Neural Networks", CVPR 2016; that of the convolution is `conv2d`'s.
//
// Cost: 16 products for four outputs instead of 36. For each pixel one read and four writes of a channel, four reads and one write of a
// filter; 25 numbers for each pair of both. Every sum has a fixed order. Infinity minus infinity may make NaN of a tile's outputs.

// True for the gradient of the image: taps are taken from the last to the first.
override TURNED: bool = false;
// True if bias is added. Otherwise bias is bound but never read.
override BIAS: bool = false;

struct Params {
  first: u32,         // image that the first tile belongs to
  images: u32,        // number of images that have tiles
  tile_rows: u32,     // tiles of an image
  tile_columns: u32,
  packs: u32,         // C / PACK or K / PACK, of the last axis
  height: u32,        // H of the input, or P of the output
  width: u32,         // W, or Q
  channels: u32,      // C, of the weight
  pad_top: u32,
  pad_left: u32,
}

@group(0) @binding(0) var<storage, read> input: array<pack>;
@group(0) @binding(1) var<storage, read> weight: array<pack>;
@group(0) @binding(2) var<storage, read> bias: array<pack>;
@group(0) @binding(3) var<storage, read> products: array<pack>;
@group(0) @binding(4) var<storage, read_write> image_terms: array<pack>;
@group(0) @binding(5) var<storage, read_write> weight_terms: array<pack>;
@group(0) @binding(6) var<storage, read_write> output: array<pack>;
@group(1) @binding(0) var<uniform> params: Params;

alias Three = array<accum, 3>;
alias Four = array<accum, 4>;

// A tile's image, row and column, and the pack of the last axis.
struct Place { image: u32, y: u32, x: u32, pack: u32 }

fn tiles() -> u32 { return params.images * params.tile_rows * params.tile_columns; }

fn place_of(i: u32) -> Place {
  let tile = i / params.packs;
  let row = tile / params.tile_columns;
  let image = row / params.tile_rows;
  return Place(
    params.first + image,
    row - image * params.tile_rows,
    tile - row * params.tile_columns,
    i - tile * params.packs,
  );
}

// B^T v
fn of_pixels(v: Four) -> Four { return Four(v[0] - v[2], v[1] + v[2], v[2] - v[1], v[1] - v[3]); }

// G v
fn of_taps(v: Three) -> Four {
  let outer = v[0] + v[2];
  return Four(v[0], 0.5 * (outer + v[1]), 0.5 * (outer - v[1]), v[2]);
}

// A^T v
fn of_products(v: Four) -> array<accum, 2> { return array<accum, 2>(v[0] + v[1] + v[2], v[1] - v[2] - v[3]); }

// One invocation per tile and pack of channels: 16 pixels, of which neighbours read the same ones, to 16 terms.
@compute @workgroup_size(WORKGROUP_SIZE)
fn transform_input(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flat_index(id, groups);
  let stride = tiles() * params.packs;
  if (i >= stride) { return; }
  let at = place_of(i);
  var pixels: array<Four, 4>;
  for (var r = 0u; r < 4u; r++) {
    let h = 2u * at.y + r - params.pad_top; // wraps below zero, far beyond the image
    for (var s = 0u; s < 4u; s++) {
      let w = 2u * at.x + s - params.pad_left;
      let inside = h < params.height && w < params.width;
      let pixel = ((at.image * params.height + h) * params.width + w) * params.packs + at.pack;
      pixels[r][s] = select(accum(), accum(input[select(0u, pixel, inside)]), inside);
    }
  }
  for (var r = 0u; r < 4u; r++) { pixels[r] = of_pixels(pixels[r]); }
  for (var s = 0u; s < 4u; s++) {
    let column = of_pixels(Four(pixels[0][s], pixels[1][s], pixels[2][s], pixels[3][s]));
    for (var r = 0u; r < 4u; r++) { image_terms[(4u * r + s) * stride + i] = pack(column[r]); }
  }
}

// One invocation per channel and pack of filters: nine taps to 16 terms.
@compute @workgroup_size(WORKGROUP_SIZE)
fn transform_weight(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flat_index(id, groups);
  let stride = params.channels * params.packs;
  if (i >= stride) { return; }
  var rows: array<Four, 3>;
  for (var r = 0u; r < 3u; r++) {
    var taps: Three;
    for (var s = 0u; s < 3u; s++) {
      let tap = 3u * r + s;
      taps[s] = accum(weight[select(tap, 8u - tap, TURNED) * stride + i]);
    }
    rows[r] = of_taps(taps);
  }
  for (var s = 0u; s < 4u; s++) {
    let column = of_taps(Three(rows[0][s], rows[1][s], rows[2][s]));
    for (var r = 0u; r < 4u; r++) { weight_terms[(4u * r + s) * stride + i] = pack(column[r]); }
  }
}

// One invocation per tile and pack of filters: 16 products to the outputs of the tile, which no other one stores.
@compute @workgroup_size(WORKGROUP_SIZE)
fn transform_products(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flat_index(id, groups);
  let stride = tiles() * params.packs;
  if (i >= stride) { return; }
  let at = place_of(i);
  var rows: array<array<accum, 2>, 4>;
  for (var r = 0u; r < 4u; r++) {
    var terms: Four;
    for (var s = 0u; s < 4u; s++) { terms[s] = accum(products[(4u * r + s) * stride + i]); }
    rows[r] = of_products(terms);
  }
  var start = accum();
  if (BIAS) { start = accum(bias[at.pack]); }
  for (var s = 0u; s < 2u; s++) {
    let x = 2u * at.x + s;
    let column = of_products(Four(rows[0][s], rows[1][s], rows[2][s], rows[3][s]));
    for (var r = 0u; r < 2u; r++) {
      let y = 2u * at.y + r;
      if (y < params.height && x < params.width) {
        output[((at.image * params.height + y) * params.width + x) * params.packs + at.pack] = pack(activate(column[r] + start));
      }
    }
  }
}
