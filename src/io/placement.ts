// Placement of a picture in an image of another shape.

/** A part of a picture, in pixels. */
export interface Rectangle {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

/** The source part of a picture, and the target part of the image made from it. */
export interface Placement {
  readonly source: Rectangle;
  readonly target: Rectangle;
}

/** Size of a picture, in pixels. */
export interface Size {
  readonly width: number;
  readonly height: number;
}

/** Smallest side of a picture worth inspecting, in pixels: smaller ones have no texture to speak of. */
export const LEAST_SIDE = 8;

/** All ways to fill an image. */
export const RESIZES = ["stretch", "letterbox", "crop"] as const;

/**
 * Resizing to another shape: "stretch", "letterbox" (whole, with bars of the mean colour) or "crop" (the centre, cut to
 * the image's shape).
 */
export type Resize = (typeof RESIZES)[number];

/** Computes the source part of a picture and its target part in an image of `width` x `height` pixels. */
export function placementOf(resize: Resize, picture: Size, { width, height }: Size): Placement {
  const whole = { left: 0, top: 0 };
  switch (resize) {
    case "stretch":
      return {
        source: { ...whole, width: picture.width, height: picture.height },
        target: { ...whole, width, height },
      };
    case "letterbox": {
      const scale = Math.min(width / picture.width, height / picture.height);
      const target = {
        width: Math.max(1, Math.round(picture.width * scale)),
        height: Math.max(1, Math.round(picture.height * scale)),
      };
      return {
        source: { ...whole, width: picture.width, height: picture.height },
        target: centred(target, { width, height }),
      };
    }
    case "crop": {
      const scale = Math.min(picture.width / width, picture.height / height);
      const source = { width: Math.max(1, Math.round(width * scale)), height: Math.max(1, Math.round(height * scale)) };
      return { source: centred(source, picture), target: { ...whole, width, height } };
    }
  }
}

const centred = (inner: Size, outer: Size): Rectangle => ({
  ...inner,
  left: Math.floor((outer.width - inner.width) / 2),
  top: Math.floor((outer.height - inner.height) / 2),
});

/** The size of a copy whose longer side has at most so many pixels. */
export function sizeWithin({ width, height }: Size, longest: number): Size {
  const scale = Math.min(1, longest / Math.max(width, height));
  const scaled = (side: number): number => Math.max(1, Math.round(side * scale));
  return { width: scaled(width), height: scaled(height) };
}
