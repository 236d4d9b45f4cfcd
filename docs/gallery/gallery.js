// Runs the models of the gallery: see docs/gallery.md.

import { Tensor, loadAndCompile, loadLiteRt } from "./litert/core.js";

const here = new URL(".", import.meta.url).href;
const element = (name) => document.getElementById(`gallery-${name}`);
const compiled = new Map();

/** Returns a compiled model by its name, such as "made-digits". */
function modelOf(name) {
  if (!compiled.has(name)) {
    compiled.set(name, loadAndCompile(`${here}models/${name}.tflite`, { accelerator: "wasm" }));
  }
  return compiled.get(name);
}

/** Returns the inputs of a signature, each with a name, a shape and a dtype. */
async function inputsOf(name, signature) {
  return (await modelOf(name)).signatures[signature].getInputDetails();
}

const size = (shape) => shape.reduce((product, side) => product * side, 1);

/** Runs a signature on numbers by the names of inputs; returns numbers by the names of outputs. */
async function run(name, signature, values) {
  const tensors = {};
  for (const { name: key, shape, dtype } of await inputsOf(name, signature)) {
    // The runtime computes something from too few numbers, too.
    if (values[key]?.length !== size(shape)) throw new Error(`${key} of ${name} must have the shape ${shape}`);
    const numbers = (dtype === "int32" ? Int32Array : Float32Array).from(values[key]);
    tensors[key] = new Tensor(numbers, Array.from(shape));
  }
  const outputs = await (await modelOf(name)).run(signature, tensors);
  const found = {};
  for (const [key, tensor] of Object.entries(outputs)) {
    found[key] = Array.from(tensor.toTypedArray());
    tensor.delete();
  }
  Object.values(tensors).forEach((tensor) => tensor.delete());
  return found;
}

/** Returns a function that draws uniform numbers: mulberry32, so that a seed in the address draws the same again. */
function uniformOf(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let bits = Math.imul(state ^ (state >>> 15), state | 1);
    bits ^= bits + Math.imul(bits ^ (bits >>> 7), bits | 61);
    return ((bits ^ (bits >>> 14)) >>> 0) / 4294967296;
  };
}

const numbers = (count, draw) => Array.from({ length: count }, draw);
const normalOf = (uniform) => () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());

/** Kinds of noise: how each is drawn, given a function that draws uniform numbers. */
const NOISE = {
  uniform: (uniform) => uniform,
  normal: normalOf,
  logistic: (uniform) => () => {
    const u = uniform() * (1 - 2e-6) + 1e-6;
    return Math.log(u / (1 - u));
  },
  symmetric: (uniform) => () => 2 * uniform() - 1,
  digit: (uniform) => () => Math.floor(10 * uniform()),
};

/** Kinds of noise of the inputs of `generate`, of models that draw an image in one call. */
const INPUTS = {
  "made-digits": { uniform: "uniform" },
  "nade-digits": { uniform: "uniform" },
  "vae-digits": { z: "normal", uniform: "uniform" },
  "iwae-digits": { z: "normal", uniform: "uniform" },
  "conditional_vae-digits": { condition: "digit", z: "normal", uniform: "uniform" },
  "vq_vae-digits": { code: "uniform", uniform: "uniform" },
  "nice-digits": { z: "logistic" },
  "bernoulli_mixture-digits": { component: "uniform", uniform: "uniform" },
  "dcgan-digits": { z: "symmetric" },
  "wgan_gp-digits": { z: "normal" },
};

/** Models of 17 levels; the others are of bits. */
const GREY = new Set(["dcgan-digits", "deep_ebm-digits", "nice-digits", "vq_vae-digits", "wgan_gp-digits"]);

/** Returns noise for the inputs of a signature that have a kind of it, given a function that draws uniform numbers. */
async function noiseOf(name, signature, kinds, uniform) {
  const noise = {};
  for (const { name: key, shape } of await inputsOf(name, signature)) {
    if (key in kinds) noise[key] = numbers(size(shape), NOISE[kinds[key]](uniform));
  }
  return noise;
}

/** Models that draw an image step by step: where they start, and calls of a signature that move them. */
const CHAINS = {
  "rbm-digits": {
    start: (uniform) => (uniform() < 0.5 ? 0 : 1),
    signature: "gibbs",
    state: "x",
    kinds: { hidden_noise: "uniform", visible_noise: "uniform" },
    calls: 300,
  },
  "deep_ebm-digits": {
    start: (uniform) => 16 * uniform(),
    signature: "langevin",
    state: "state",
    kinds: { noise: "normal" },
    // Of ten steps each.
    calls: 50,
  },
};

async function chained(name, uniform) {
  const { start, signature, state, kinds, calls } = CHAINS[name];
  let x = numbers(64, () => start(uniform));
  for (let call = 0; call < calls; call += 1) {
    const noise = await noiseOf(name, signature, kinds, uniform);
    x = (await run(name, signature, { [state]: x, ...noise }))[state];
  }
  return x.map(Math.round);
}

async function generated(name, uniform) {
  return (await run(name, "generate", await noiseOf(name, "generate", INPUTS[name], uniform))).x;
}

/** Returns one image of a model, given a function that draws uniform numbers. */
const drawn = (name, uniform) => (name in INPUTS ? generated : chained)(name, uniform);

/** Draws images of 8×8 levels into a canvas, `columns` in a row. */
function draw(canvas, images, columns, brightest) {
  const context = canvas.getContext("2d");
  const side = canvas.width / columns;
  const pixel = (side - 4) / 8;
  context.clearRect(0, 0, canvas.width, canvas.height);
  images.forEach((values, index) => {
    values.forEach((value, place) => {
      const grey = Math.round((255 * value) / brightest);
      context.fillStyle = `rgb(${grey}, ${grey}, ${grey})`;
      const left = (index % columns) * side + 2 + (place % 8) * pixel;
      const top = Math.floor(index / columns) * side + 2 + Math.floor(place / 8) * pixel;
      context.fillRect(left, top, Math.ceil(pixel), Math.ceil(pixel));
    });
  });
}

/** Keeps a part of the page's state in its address. */
function remember(values) {
  const address = new URLSearchParams(location.search);
  Object.entries(values).forEach(([key, value]) => address.set(key, value));
  history.replaceState(null, "", `?${address}`);
}

/** Says what has been drawn: beside the picture, and to those who do not see it. */
function tell(name, canvas, sentence) {
  element(canvas).setAttribute("aria-label", sentence);
  element(name).textContent = sentence;
}

/** Draws anew: other samples, where those of the model and the seed are drawn already. */
async function sampleAnew() {
  const seed = element("seed");
  if (element("status").textContent === sampled()) seed.value = (Number(seed.value) + 1) % (Number(seed.max) + 1);
  await sample();
}

/** Returns what is said of the samples of the chosen model and seed. */
function sampled() {
  return `Eight samples of ${element("model").value}, seed ${Number(element("seed").value)}.`;
}

async function sample() {
  const name = element("model").value;
  const seed = Number(element("seed").value);
  remember({ model: name, seed });
  element("status").textContent = "Drawing …";
  const uniform = uniformOf(seed);
  const images = [];
  for (let index = 0; index < 8; index += 1) {
    images.push(await drawn(name, uniform));
  }
  draw(element("samples"), images, 4, GREY.has(name) ? 16 : 1);
  tell("status", "samples", sampled());
}

async function decode() {
  const values = [...element("sliders").querySelectorAll("input")].map((slider) => Number(slider.value));
  draw(element("decoded"), [(await run("vae-digits", "decode", { z: values })).x], 1, 1);
  element("decoded").setAttribute("aria-label", `What the code ${values.join(", ")} stands for`);
}

async function complete() {
  const upper = [...element("drawing").querySelectorAll("input")].map((box) => (box.checked ? 0 : 1));
  const uniform = uniformOf(Number(element("seed").value));
  const images = [];
  for (let index = 0; index < 8; index += 1) {
    images.push((await run("made-digits", "generate", { uniform: [...upper, ...numbers(32, uniform)] })).x);
  }
  draw(element("completed"), images, 4, 1);
  const black = upper.filter((value) => value === 0).length;
  tell("completion", "completed", `Eight lower halves for an upper half of ${black} white pixels.`);
}

/** Lines of the grid on each side of its middle, points on each line, and how far it reaches, in deviations. */
const GRID = { lines: 8, points: 49, reach: 2.4 };

/** For each flow, points of the grid and where the flow takes them. */
const bent = new Map();

/** Returns lines of pairs of points: of the noise, and where a flow takes it. */
async function linesOf(name) {
  if (!bent.has(name)) {
    const lines = [];
    for (let line = -GRID.lines; line <= GRID.lines; line += 1) {
      const fixed = (GRID.reach * line) / GRID.lines;
      for (const vertical of [true, false]) {
        const pairs = [];
        for (let index = 0; index < GRID.points; index += 1) {
          const along = GRID.reach * ((2 * index) / (GRID.points - 1) - 1);
          const noise = vertical ? [fixed, along] : [along, fixed];
          pairs.push([noise, (await run(name, "generate", { z: noise })).x]);
        }
        lines.push({ pairs, vertical });
      }
    }
    bent.set(name, lines);
  }
  return bent.get(name);
}

/** Draws the grid on its straight way from noise to data. */
async function bend() {
  const name = element("flow").value;
  const way = Number(element("way").value) / 100;
  const lines = await linesOf(name);
  const canvas = element("plane");
  const context = canvas.getContext("2d");
  context.clearRect(0, 0, canvas.width, canvas.height);
  // Noise lies around the origin, the moons between -1 and 2, and -0.5 and 1.
  const scale = canvas.width / (2 * GRID.reach + 1 - 2 * way);
  const place = ([[a, b], [x, y]]) => [
    canvas.width / 2 + scale * (a + way * (x - 0.5 - a)),
    canvas.height / 2 - scale * (b + way * (y - 0.25 - b)),
  ];
  for (const { pairs, vertical } of lines) {
    context.beginPath();
    pairs.forEach((pair, index) => context[index ? "lineTo" : "moveTo"](...place(pair)));
    context.strokeStyle = vertical ? "#80d8ff" : "#ffcc80";
    context.stroke();
  }
  element("way").setAttribute("aria-valuetext", `${Math.round(100 * way)} % of the way from noise to data`);
  remember({ flow: name, way: Math.round(100 * way) });
  const where = way === 0 ? "as the noise has it" : way === 1 ? "as the flow bends it" : "on its way";
  tell("flow-status", "plane", `${name}: the grid ${where}.`);
}

/** Moves the slider from one end to the other. */
function play() {
  const slider = element("way");
  const started = performance.now();
  const step = async (now) => {
    slider.value = Math.min(100, (now - started) / 30);
    await bend();
    if (Number(slider.value) < 100) requestAnimationFrame(step);
  };
  requestAnimationFrame(step);
}

function build() {
  for (let index = 0; index < 10; index += 1) {
    const label = document.createElement("label");
    label.textContent = `Entry ${index + 1} `;
    const slider = Object.assign(document.createElement("input"), { type: "range", min: -3, max: 3, step: 0.1, value: 0 });
    slider.addEventListener("input", decode);
    label.append(slider);
    element("sliders").append(label);
  }
  const start = "00111000 01100100 01000100 00000100".replaceAll(" ", "");
  [...start].forEach((bit, index) => {
    const box = Object.assign(document.createElement("input"), { type: "checkbox", checked: bit === "1" });
    box.setAttribute("aria-label", `Row ${Math.floor(index / 8) + 1}, column ${(index % 8) + 1}`);
    element("drawing").append(box);
  });
  const wanted = new URLSearchParams(location.search);
  for (const name of ["model", "flow"]) {
    const known = [...element(name).options].map((option) => option.value);
    if (known.includes(wanted.get(name))) element(name).value = wanted.get(name);
  }
  for (const name of ["seed", "way"]) {
    if (/^\d{1,6}$/.test(wanted.get(name) ?? "")) element(name).value = wanted.get(name);
  }
}

/** Runs what a file beside the page asks for, and writes the results into the page: for a test. */
async function check(address) {
  const asked = await (await fetch(address)).json();
  const found = [];
  for (const { model, signature, inputs } of asked) {
    found.push(await run(model, signature, inputs));
  }
  const told = Object.assign(document.createElement("pre"), { id: "gallery-found", textContent: JSON.stringify(found) });
  document.body.append(told);
}

async function start() {
  // Before sampling rewrites the address.
  const address = new URLSearchParams(location.search).get("check");
  build();
  try {
    await loadLiteRt(`${here}litert/wasm/`);
    await sample();
    await bend();
    await decode();
    await complete();
  } catch (error) {
    element("status").textContent = `The runtime could not be loaded: ${error.message}`;
    return;
  }
  element("way").addEventListener("input", bend);
  element("flow").addEventListener("change", bend);
  for (const [name, action] of [["sample", sampleAnew], ["play", play], ["complete", complete]]) {
    element(name).disabled = false;
    element(name).addEventListener("click", action);
  }
  if (address) await check(address);
}

await start();
