/** A mistake that somebody could make in a shader. The fuzzer must find it: `npm run test:mutants`. */
export interface Mutant {
  /** Path below shaders/, without `.wgsl`. */
  readonly shader: string;
  readonly why: string;
  /** Text that the shader has exactly once. */
  readonly from: string;
  readonly to: string;
}

const mutant = (shader: string, why: string, from: string, to: string): Mutant => ({ shader, why, from, to });

export const MUTANTS: readonly Mutant[] = [
  mutant("conv2d", "padding above is forgotten", "let h = p * params.stride_h + r * params.dilation_h - params.pad_top;", "let h = p * params.stride_h + r * params.dilation_h;"),
  mutant("conv2d", "bias of another filter", "sum += accum(bias[k])", "sum += accum(bias[0])"),
  mutant("conv2d", "dilation is ignored in the gradient of the filters", "let w = q * params.stride_w + s * params.dilation_w - params.pad_left;\n      if (w >= params.width) { continue; }\n      let x =", "let w = q * params.stride_w + s - params.pad_left;\n      if (w >= params.width) { continue; }\n      let x ="),
  mutant("conv2d", "stride along H taken along W in the gradient of the input", "reader(w, params.pad_left, s, params.dilation_w, params.stride_w)", "reader(w, params.pad_left, s, params.dilation_w, params.stride_h)"),
  mutant("conv2d", "a gradient between two strides is not left out", "shifted % stride == 0u && at + pad", "at + pad"),
  mutant("conv2d", "groups share the first one's channels", "let first_channel = k / (params.packs / params.filter_groups) * group_channels;", "let first_channel = 0u;"),
  mutant("conv2d", "rows of a slice run into the next", "min(first + params.rows, params.batch * params.out_height)", "min(first + params.rows + 1u, params.batch * params.out_height)"),
  mutant("conv2d", "activation is lost in the epilogue", "pack(activate(sum))", "pack(sum)"),
  mutant("conv2d", "products in the stored type, which shows in f16 alone", "sum += f32(input[origin + c]) * accum(filters[tap + c * params.packs]);", "sum += accum(input[origin + c] * filters[tap + c * params.packs]);"),
  mutant("depthwise_conv2d", "activation before the bias", "if (BIAS) { sum += accum(bias[c]); }\n  output[i] = pack(activate(sum));", "sum = activate(sum);\n  if (BIAS) { sum += accum(bias[c]); }\n  output[i] = pack(sum);"),
  mutant("depthwise_conv2d", "filters read as [S, R, C]", "* accum(filters[(r * params.filter_w + s) * params.packs + c]);\n    }\n  }\n  if (BIAS)", "* accum(filters[(s * params.filter_h + r) * params.packs + c]);\n    }\n  }\n  if (BIAS)"),
  mutant("depthwise_conv2d", "padding left out of the gradient of the input", "reader(h, params.pad_top, r,", "reader(h, 0u, r,"),
  mutant("depthwise_conv2d", "filters are not turned for the gradient of the input", "return accum(filters[(params.filter_h * params.filter_w - 1u - at) * params.packs + c]);", "return accum(filters[at * params.packs + c]);"),
  mutant("depthwise_conv2d", "last slice of the filters' gradient is not computed", "if (i >= params.slices * params.filter_h", "if (i >= max(params.slices - 1u, 1u) * params.filter_h"),
  mutant("matmul", "bias in every slice", "if (BIAS) { if (slice == 0u) { start = bias_four(n + c); } }", "if (BIAS) { start = bias_four(n + c); }"),
  mutant("matmul", "rows past a tile's end, in the form for GPUs", "for (var r = 0u; r < min(ROWS, params.m - m); r++) { store_four(row + r, n, sums[r] + start); }", "for (var r = 0u; r < min(ROWS, params.m - m + 1u); r++) { store_four(row + r, n, sums[r] + start); }"),
  mutant("matmul", "transposed a is not turned back", "tile[i] = a_four(g * params.k + k + i, m, params.m); } }\n    return transpose(tile);", "tile[i] = a_four(g * params.k + k + i, m, params.m); } }\n    return tile;"),
  mutant("matmul", "batches of b start at another's rows", "tile[i] = b_four(g * params.n + min(n + i, params.n - 1u), k, params.k);", "tile[i] = b_four(g * params.k + min(n + i, params.n - 1u), k, params.k);"),
  mutant("matmul", "activation is lost where four columns travel together", "if (PACK == 4u) { store(first / PACK, accum_from(values)); return; }", "if (PACK == 4u) { output[first / PACK] = pack(accum_from(values)); return; }"),
  mutant("activation", "gradient without the upstream gradient", "accum(grad_output[i]) * activation_slope(accum(input[i]))", "activation_slope(accum(input[i]))"),
  mutant("activation", "last pack is not written", "if (i >= params.packs) { return; }\n  output[i]", "if (i + 1u >= params.packs) { return; }\n  output[i]"),
  mutant("prelude/activation", "hswish's slope is relu's above zero", "x / 3.0 + 0.5, one, x >= accum(3.0)", "x / 3.0 + 0.5, one, x >= accum(0.0)"),
  mutant("prelude/activation", "slope at the kink of relu is 1", "case 1u: { return select(zero, one, x > zero); }", "case 1u: { return select(zero, one, x >= zero); }"),
  mutant("prelude/common", "folded workgroups count from the first row again", "return global_id.y * num_workgroups.x * WORKGROUP_SIZE + global_id.x;", "return global_id.x;"),
  mutant("prelude/f16x4", "two lanes swapped, in f16 alone", "fn pack_sum(v: accum) -> f32 { return (v.x + v.y) + (v.z + v.w); }", "fn pack_sum(v: accum) -> f32 { return (v.x + v.y) + (v.z + v.z); }"),
  mutant("prelude/rows", "odd lanes are not added", "if (index % LANES < width) { row_values[index] += row_values[index + width]; }", "if (index % LANES < width / 2u) { row_values[index] += row_values[index + width]; }"),
  mutant("batch_norm", "variance over M where M - 1 is asked", "workspace[(g * 2u + 1u) * params.packs + c] = m2 / (count - params.correction);", "workspace[(g * 2u + 1u) * params.packs + c] = m2 / count;"),
  mutant("batch_norm", "slices merged as if of equal means", "m2 += moments[at + params.packs] + difference * difference * (count * n / total);", "m2 += moments[at + params.packs];"),
  mutant("batch_norm", "mean of the gradient is not subtracted", "gradient -= sums[at + params.packs] / count + h *", "gradient -= h *"),
  mutant("batch_norm", "statistics of the first group for all", "let mean = statistics[g * 2u * params.packs + c];\n  var h", "let mean = statistics[c];\n  var h"),
  mutant("grid_sample", "alignCorners is ignored in the scale", "return 0.5 * select(size, size - 1.0, ALIGN_CORNERS);", "return 0.5 * size;"),
  mutant("grid_sample", "x and y swapped in the gradient of the grid", "sum.x += pack_sum(g * mix(ne - nw, se - sw, f.y));", "sum.x += pack_sum(g * mix(sw - nw, se - ne, f.x));"),
  mutant("grid_sample", "samples of a block counted without the last", "counts[(n * cells + cell) * blocks + nth] = before + 1u;", "counts[(n * cells + cell) * blocks + nth] = before;"),
  mutant("grid_sample", "reflection about the pixel's edge where corners are aligned", "let low = select(-0.5, 0.0, ALIGN_CORNERS);", "let low = -0.5;"),
  mutant("grid_sample", "a tie of nearest rounds away from even", "if (NEAREST) { return round(position); }", "if (NEAREST) { return floor(position + 0.5); }"),
  mutant("grid_sample", "rows that a workgroup shares begin at another sample when folded", "let sample = group.y * groups.x + group.x;", "let sample = group.x;"),
  mutant("scan", "sums before the block are not added", "if (OFFSETS) { if (stretch.x < stretch.y) { total += offsets[block_index]; } }", ""),
  mutant("pool", "padding counted where it should not be", "return select(inside, f32(params.window_h) * f32(params.window_w), COUNT_INCLUDE_PAD);", "return f32(params.window_h) * f32(params.window_w);"),
  mutant("pool", "last of equal maxima wins", "if (pack_lane(value, lane) > pack_lane(best, lane))", "if (pack_lane(value, lane) >= pack_lane(best, lane))"),
  mutant("pool", "stride along H for columns", "covered(q, params.stride_w, params.pad_w, params.window_w, params.width)", "covered(q, params.stride_h, params.pad_w, params.window_w, params.width)"),
  mutant("resize", "position is not clamped to the border", "if (FILTER == BILINEAR) { return clamp(tick, 0, i32(params.extent - 1u) * params.unit); }", ""),
  mutant("resize", "weights of the antialiased border do not add up to one", "sum += weight(tick, h) / total(tick) *", "sum += weight(tick, h) *"),
  mutant("gaussian_blur", "outermost pixel repeated by the mirror", "return max(2 * (params.extent - 1), 1);", "return max(2 * params.extent - 1, 1);"),
  mutant("gaussian_blur", "replicated border gets no gradient back", "if (BORDER == REPLICATE && at == 0)", "if (BORDER == REPLICATE && at < 0)"),
  mutant("softmax", "every row divided by its lane's sum", "sum = row_sum(sum, index);", "sum = row_sum(sum, index - index % LANES);"),
  mutant("softmax", "along is not subtracted", "(accum(grad_output[i]) - along)", "accum(grad_output[i])"),
  mutant("layer_norm", "weight left out of the gradient", "if (AFFINE) { g *= affine[c]; }\n    grad_input[i]", "grad_input[i]"),
  mutant("layer_norm", "gradient of the bias summed over one slice alone", "let end = min((slice + 1u) * params.per_slice, params.rows);\n  var weight", "let end = min(slice + 1u, params.rows);\n  var weight"),
  mutant("row_products", "length of b for both", "rows_output[at.row] = elem(angle.cosine);", "rows_output[at.row] = elem(angle.cosine * angle.norm_a / max(angle.norm_b, params.eps));"),
  mutant("dropout", "kept elements are not scaled", "f32(input[i]) * params.scale", "f32(input[i])"),
  mutant("feature_block_paste", "steps outside the window mark the cell they end at", "if (all(abs(offset) <= vec2i(i32(half)))) {", "if (all(abs(offset) <= vec2i(i32(half) + 1))) {"),
  mutant("feature_block_paste", "every block has the first one's intensity", "weights[cell * params.blocks + k] = intensity;", "weights[cell * params.blocks] = intensity;"),
  mutant("feature_block_paste", "one draw a batch is each image's own", "select(image, 0u, PER_BATCH)", "image"),
  mutant("feature_block_paste", "features of the same place elsewhere", "(x + whole(drawn.x, 0u, params.width)) % params.width", "x"),
  mutant("top_k_mean", "elements equal to the least are counted once", "(lane_sums[0] + f32(found[1]) * value_of(found[0]))", "(lane_sums[0] + value_of(found[0]))"),
  mutant("reduce", "last row of a slice is left out", "at < rows.y; at += params.packs) {\n    let value", "at + params.packs < rows.y; at += params.packs) {\n    let value"),
  mutant("elementwise", "second operand is not broadcast along the third axis", "i2 * params.b2 + i3 * params.b3", "i3 * params.b3"),
  mutant("cast", "every fourth element of a wide pack is lost", "if (i < params.packs) { narrow_output[i] = pack(wide[i]); }", "if (i + 1u < params.packs) { narrow_output[i] = pack(wide[i]); }"),
];
