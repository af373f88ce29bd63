// Where a picture goes in an image of another shape.

/** A part of a picture, in pixels. */
export interface Rectangle {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

/** Which part of a picture becomes which part of the image that is made of it. */
export interface Placement {
  readonly source: Rectangle;
  readonly target: Rectangle;
}

/** Of a picture, in pixels. */
export interface Size {
  readonly width: number;
  readonly height: number;
}

/** Pixels of a picture's side that is large enough to inspect: smaller ones have no texture to speak of. */
export const LEAST_SIDE = 8;

/** Every way to fill an image. */
export const RESIZES = ["stretch", "letterbox", "crop"] as const;

/**
 * How a picture fills an image of another shape: stretched, whole with bars of the mean colour, or its centre, cut to
 * the image's shape.
 */
export type Resize = (typeof RESIZES)[number];

/** Which part of a picture becomes which part of an image of `width` x `height` pixels. */
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
