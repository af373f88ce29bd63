import { isWhole } from "../../io/json.ts";
import { Adam } from "../../optim/adam.ts";
import { mseLoss } from "../../ops/losses.ts";
import { ShapeError } from "../../runtime/errors.ts";
import type { FeatureSource, Fit, FitInput, FitState, StagePlan } from "../method.ts";
import { CapturedFit, scheduleOf } from "../parts/captured_fit.ts";
import { takeStep } from "../parts/captured_steps.ts";
import { fieldsOf } from "../parts/fields.ts";
import { FitParts } from "../parts/fit_part.ts";
import { StagedFit } from "../parts/staged_fit.ts";
import { componentsFor, ComponentSearch, spreadOver } from "./components.ts";
import type { DfrConfig } from "./config.ts";
import { DfrModel } from "./model.ts";
import type { DfrSettings } from "./options.ts";

const COMPONENTS = "components";
const AUTOENCODER = "autoencoder";

/** Images of which components are computed; none where they are not needed. */
function componentImages(
  { reconstruction, latent, componentImages: some }: DfrSettings,
  images: number,
): readonly number[] {
  if (reconstruction === "linear") return spreadOver(images, images);
  return latent > 0 ? [] : spreadOver(images, some);
}

/** The stages of a fit to so many images. */
export function planOf(_config: DfrConfig, settings: DfrSettings, images: number): readonly StagePlan[] {
  const seen = componentImages(settings, images).length;
  return [
    ...(seen > 0 ? [{ stage: COMPONENTS, steps: Math.ceil(seen / settings.batch) }] : []),
    ...(settings.reconstruction === "autoencoder"
      ? [{ stage: AUTOENCODER, steps: scheduleOf(images, settings).steps }]
      : []),
  ];
}

/**
 * The fit of a model: principal components, which decide the number of latent channels or are the model, then the
 * training of the autoencoder. A state keeps no sums: components that were not complete are begun again.
 * @see Yang et al., "DFR: deep feature reconstruction for unsupervised anomaly segmentation", 2020
 */
export class DfrFit extends FitParts implements Fit {
  readonly model: DfrModel;
  readonly #channels: number;

  constructor(config: DfrConfig, settings: DfrSettings, input: FitInput) {
    const { weights, features, seed } = input;
    const model = new DfrModel(weights, { ...config, latent: settings.latent }, seed);
    const [{ stage: first }] = planOf(config, settings, features.count) as readonly [StagePlan];
    super(
      ...(first === COMPONENTS ? [componentsFit(model, config.channels, settings, features)] : []),
      ...(settings.reconstruction === "autoencoder" ? [autoencoderFit(model, settings, input)] : []),
    );
    [this.model, this.#channels] = [model, config.channels];
  }

  override async state(): Promise<FitState> {
    const { json, tensors } = await super.state();
    return { json: { latent: this.model.latent, parts: json }, tensors };
  }

  override restore({ json, tensors }: FitState): void {
    const { latent, parts } = fieldsOf(json);
    const known = this.model.latent;
    const { part, state } = fieldsOf(parts);
    const hasComponents = known > 0 || part !== 0 || fieldsOf(state)["position"] === null;
    const [least, most] = known > 0 ? [known, known] : [hasComponents ? 1 : 0, this.#channels];
    if (parts === undefined || !isWhole(latent) || latent < least || latent > most) {
      const got = JSON.stringify(json).slice(0, 80);
      throw new ShapeError(`dfr: expected ${least} to ${most} latent channels in the state of the fit, got ${got}`);
    }
    if (known === 0 && latent > 0) this.model.build(latent);
    super.restore({ json: parts, tensors });
  }
}

/** Finds the principal components of some images, builds the model by them, and gives them to it. */
function componentsFit(model: DfrModel, channels: number, settings: DfrSettings, features: FeatureSource): StagedFit {
  const images = componentImages(settings, features.count);
  const steps = Math.ceil(images.length / settings.batch);
  let search: ComponentSearch | null = null;
  const take = async (step: number): Promise<void> => {
    search ??= new ComponentSearch(features, images, settings.batch, channels);
    await search.readTo((step + 1) * settings.batch);
    if (step + 1 < steps) return;
    const components = search.components();
    if (model.latent === 0) {
      model.weights.drawFromHere();
      model.build(componentsFor(settings.variance, components.variances));
    }
    model.learn(components);
  };
  const title = settings.reconstruction === "linear" ? "Principal components" : "Stage 1, principal components";
  return new StagedFit("dfr", [{ stage: COMPONENTS, steps, title, take }], () => (search = null));
}

function autoencoderFit(
  model: DfrModel,
  settings: DfrSettings,
  { features, seed, before }: Pick<FitInput, "features" | "seed" | "before">,
): CapturedFit {
  return new CapturedFit(
    "dfr",
    model.weights,
    features,
    seed,
    [
      {
        stage: AUTOENCODER,
        title: settings.latent > 0 ? "Autoencoder" : "Stage 2, autoencoder",
        ...scheduleOf(features.count, settings),
        streams: 0,
        optimizer: () => autoencoderOptimizer(model, settings.learningRate),
        work: ({ features: batch, optimizer }) =>
          takeStep(optimizer, () => () => [mseLoss(model.reconstruct(batch, "training")!, batch)]),
      },
    ],
    before,
  );
}

/** The optimiser of an autoencoder's parameters. */
export const autoencoderOptimizer = (model: DfrModel, learningRate: number): Adam =>
  new Adam([{ parameters: [...model.weights.parameters.values()], learningRate }]);
