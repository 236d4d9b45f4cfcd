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

/** Runs a signature: `inputs` holds arrays of numbers with their shapes by name; returns arrays by name. */
async function run(name, signature, inputs) {
  const model = await modelOf(name);
  const tensors = {};
  for (const [key, { values, shape }] of Object.entries(inputs)) {
    tensors[key] = new Tensor(Float32Array.from(values), shape);
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

/** How each model draws one image, given a function that draws uniform numbers. */
const SAMPLERS = {
  "made-digits": async (uniform) => (await run("made-digits", "generate", { uniform: image(numbers(64, uniform)) })).x,
  "vae-digits": async (uniform) =>
    (
      await run("vae-digits", "generate", {
        z: { values: numbers(10, normalOf(uniform)), shape: [1, 10] },
        uniform: image(numbers(64, uniform)),
      })
    ).x,
  "dcgan-digits": async (uniform) =>
    (
      await run("dcgan-digits", "generate", {
        z: { values: numbers(32, () => 2 * uniform() - 1), shape: [1, 32] },
      })
    ).x,
  "bernoulli_mixture-digits": async (uniform) =>
    (
      await run("bernoulli_mixture-digits", "generate", {
        component: { values: [uniform()], shape: [1] },
        uniform: image(numbers(64, uniform)),
      })
    ).x,
  "rbm-digits": async (uniform) => {
    let x = numbers(64, () => (uniform() < 0.5 ? 0 : 1));
    for (let sweep = 0; sweep < 300; sweep += 1) {
      const hidden = { values: numbers(64, uniform), shape: [1, 1, 64] };
      const visible = { values: numbers(64, uniform), shape: [1, 1, 8, 8, 1] };
      x = (await run("rbm-digits", "gibbs", { x: image(x), hidden_noise: hidden, visible_noise: visible })).x;
    }
    return x;
  },
};

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

async function sample() {
  const name = element("model").value;
  const seed = Number(element("seed").value);
  history.replaceState(null, "", `?model=${name}&seed=${seed}`);
  element("status").textContent = "Drawing …";
  const uniform = uniformOf(seed);
  const images = [];
  for (let index = 0; index < 8; index += 1) {
    images.push(await SAMPLERS[name](uniform));
  }
  draw(element("samples"), images, 4, name === "dcgan-digits" ? 16 : 1);
  element("status").textContent = `Eight samples of ${name}, seed ${seed}.`;
}

async function decode() {
  const values = [...element("sliders").querySelectorAll("input")].map((slider) => Number(slider.value));
  draw(element("decoded"), [(await run("vae-digits", "decode", { z: { values, shape: [1, 10] } })).x], 1, 1);
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
  if (wanted.get("model") in SAMPLERS) element("model").value = wanted.get("model");
  if (/^\d{1,6}$/.test(wanted.get("seed") ?? "")) element("seed").value = wanted.get("seed");
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
    await decode();
    await complete();
  } catch (error) {
    element("status").textContent = `The runtime could not be loaded: ${error.message}`;
    return;
  }
  for (const [name, action] of [["sample", sample], ["complete", complete]]) {
    element(name).disabled = false;
    element(name).addEventListener("click", action);
  }
  if (address) await check(address);
}

await start();
