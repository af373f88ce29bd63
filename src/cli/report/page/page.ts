// The report's page in parts, each of one concern, put together as text.
import page from "./page.html?raw";
import baseStyle from "./base.css?raw";
import headStyle from "./head.css?raw";
import controlsStyle from "./controls.css?raw";
import galleryStyle from "./gallery.css?raw";
import thresholdStyle from "./threshold.css?raw";
import chartsStyle from "./charts.css?raw";
import tablesStyle from "./tables.css?raw";
import viewerStyle from "./viewer.css?raw";
import narrowStyle from "./narrow.css?raw";
import printStyle from "./print.css?raw";
import dataScript from "./data.js?raw";
import wordsScript from "./words.js?raw";
import elementsScript from "./elements.js?raw";
import outlinesScript from "./outlines.js?raw";
import headScript from "./head.js?raw";
import galleryScript from "./gallery.js?raw";
import viewerScript from "./viewer.js?raw";
import chartsScript from "./charts.js?raw";
import scoresScript from "./scores.js?raw";
import thresholdScript from "./threshold.js?raw";
import curvesScript from "./curves.js?raw";
import lossesScript from "./losses.js?raw";
import startScript from "./start.js?raw";

/** The document; what stands in double braces is filled in by the report. */
export const PAGE = page;

/** The style sheet. Later rules win, so narrow windows and print come last. */
export const PAGE_STYLE = [
  baseStyle,
  headStyle,
  controlsStyle,
  galleryStyle,
  thresholdStyle,
  chartsStyle,
  tablesStyle,
  viewerStyle,
  narrowStyle,
  printStyle,
].join("\n");

// Constants are made in this order; functions can be called before their part.
const SCRIPTS = [
  dataScript,
  wordsScript,
  elementsScript,
  outlinesScript,
  headScript,
  galleryScript,
  viewerScript,
  chartsScript,
  scoresScript,
  thresholdScript,
  curvesScript,
  lossesScript,
  startScript,
];

/** The script: one function around all parts, which share its names. */
export const PAGE_SCRIPT = `"use strict";\n\n(() => {\n${SCRIPTS.join("\n")}})();\n`;
