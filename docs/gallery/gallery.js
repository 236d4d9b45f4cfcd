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

/** Runs a signature: `inputs` holds numbers with their shapes by name, float32 unless `dtype` says int32. */
async function run(name, signature, inputs) {
  const model = await modelOf(name);
  const tensors = {};
  for (const [key, { values, shape, dtype }] of Object.entries(inputs)) {
    tensors[key] = new Tensor((dtype === "int32" ? Int32Array : Float32Array).from(values), shape);
  }
  const outputs = await model.run(signature, tensors);
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
const image = (values) => ({ values, shape: [1, 8, 8, 1] });

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

const PIXELS = { uniform: ["uniform", [1, 8, 8, 1]] };

/** Inputs of `generate` of models that draw an image in one call: the kind of noise and the shape of each. */
const INPUTS = {
  "made-digits": PIXELS,
  "nade-digits": PIXELS,
  "vae-digits": { z: ["normal", [1, 10]], ...PIXELS },
  "iwae-digits": { z: ["normal", [1, 10]], ...PIXELS },
  "conditional_vae-digits": { condition: ["digit", [1]], z: ["normal", [1, 8]], ...PIXELS },
  "vq_vae-digits": { code: ["uniform", [1, 4, 4, 1]], ...PIXELS },
  "nice-digits": { z: ["logistic", [1, 8, 8, 1]] },
  "bernoulli_mixture-digits": { component: ["uniform", [1]], ...PIXELS },
  "dcgan-digits": { z: ["symmetric", [1, 32]] },
  "wgan_gp-digits": { z: ["normal", [1, 32]] },
};

/** Models of 17 levels; the others are of bits. */
const GREY = new Set(["dcgan-digits", "deep_ebm-digits", "nice-digits", "vq_vae-digits", "wgan_gp-digits"]);

/** Draws noise for the inputs of a model, and runs it. */
async function generated(name, uniform) {
  const inputs = {};
  for (const [key, [kind, shape]] of Object.entries(INPUTS[name])) {
    const values = numbers(shape.reduce((a, b) => a * b, 1), NOISE[kind](uniform));
    inputs[key] = { values, shape, dtype: kind === "digit" ? "int32" : "float32" };
  }
  return (await run(name, "generate", inputs)).x;
}

/** Models that draw an image step by step. */
const CHAINS = {
  "rbm-digits": async (uniform) => {
    let x = numbers(64, () => (uniform() < 0.5 ? 0 : 1));
    for (let sweep = 0; sweep < 300; sweep += 1) {
      const hidden = { values: numbers(64, uniform), shape: [1, 1, 64] };
      const visible = { values: numbers(64, uniform), shape: [1, 1, 8, 8, 1] };
      x = (await run("rbm-digits", "gibbs", { x: image(x), hidden_noise: hidden, visible_noise: visible })).x;
    }
    return x;
  },
  "deep_ebm-digits": async (uniform) => {
    let state = numbers(64, () => 16 * uniform());
    for (let steps = 0; steps < 500; steps += 10) {
      const noise = { values: numbers(640, normalOf(uniform)), shape: [1, 10, 8, 8, 1] };
      ({ state } = await run("deep_ebm-digits", "langevin", { state: image(state), noise }));
    }
    return state.map(Math.round);
  },
};

/** Returns one image of a model, given a function that draws uniform numbers. */
const drawn = (name, uniform) => (name in INPUTS ? generated(name, uniform) : CHAINS[name](uniform));

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
  tell("status", "samples", `Eight samples of ${name}, seed ${seed}.`);
}

async function decode() {
  const values = [...element("sliders").querySelectorAll("input")].map((slider) => Number(slider.value));
  draw(element("decoded"), [(await run("vae-digits", "decode", { z: { values, shape: [1, 10] } })).x], 1, 1);
  element("decoded").setAttribute("aria-label", `What the code ${values.join(", ")} stands for`);
}

async function complete() {
  const upper = [...element("drawing").querySelectorAll("input")].map((box) => (box.checked ? 0 : 1));
  const uniform = uniformOf(Number(element("seed").value));
  const images = [];
  for (let index = 0; index < 8; index += 1) {
    const values = [...upper, ...numbers(32, uniform)];
    images.push((await run("made-digits", "generate", { uniform: image(values) })).x);
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
          pairs.push([noise, (await run(name, "generate", { z: { values: noise, shape: [1, 2] } })).x]);
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
  for (const [name, action] of [["sample", sample], ["play", play], ["complete", complete]]) {
    element(name).disabled = false;
    element(name).addEventListener("click", action);
  }
  if (address) await check(address);
}

await start();
