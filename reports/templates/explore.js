// Waveforms and spikes of a run to look into. The pictures above say the same without a script.
(() => {
  "use strict";
  const floats = (text) => new Float32Array(Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer);
  const HUES = ["#0b4f8a", "#b35900", "#0a6b3d", "#7a3fa0", "#a61b1b", "#00707a", "#5b6672", "#8a6d00"];
  const element = (name, inside, parent) => {
    const made = document.createElement(name);
    made.textContent = inside;
    parent.append(made);
    return made;
  };
  const choice = (title, entries, parent, changed) => {
    const label = element("label", `${title} `, parent);
    const select = element("select", "", label);
    for (const [value, text] of entries) element("option", text, select).value = value;
    select.addEventListener("change", changed);
    return select;
  };
  const size = (plot, height) => ({ width: Math.max(280, plot.clientWidth), height });

  for (const figure of document.querySelectorAll("figure.explorer")) {
    const data = JSON.parse(figure.querySelector("script").textContent);
    const controls = figure.querySelector(".controls");
    const [parity, membranes] = figure.querySelectorAll(".plot");
    figure.hidden = false;

    let charts = [];
    const clear = () => { for (const chart of charts.splice(0)) chart.destroy(); membranes.textContent = ""; parity.textContent = ""; };
    const follow = uPlot.sync("explorer");
    const ns = (seconds) => (seconds == null ? "–" : `${(seconds * 1e9).toFixed(3)} ns`);

    const mapping = choice("Mapping", data.mappings.map((one) => [one.name, one.title]), controls, () => { samples(); draw(); });
    const sample = choice("Sample", [], controls, () => draw());
    const neuron = choice("Neuron", [], controls, () => draw());
    const chosen = () => data.mappings.find((one) => one.name === mapping.value);

    function samples() {
      sample.textContent = neuron.textContent = "";
      for (const one of chosen().samples) element("option", one, sample).value = one;
      element("option", "all", neuron).value = "all";
      for (let k = 0; k < chosen().neurons; k++) element("option", String(k), neuron).value = k;
    }

    function draw() {
      clear();
      spikes();
      for (const layer of chosen().layers) waves(layer);
    }

    function spikes() {
      const { model, error, sample: samples_, neuron: neurons_ } = chosen().spikes;
      const x = floats(model), y = floats(error);
      charts.push(new uPlot({
        ...size(parity, 220),
        title: "output spikes: circuit − model over the model's time; a click shows its membranes",
        scales: { x: { time: false } },
        axes: [{ label: "spike of the model, ns" }, { label: "circuit − model, ns", size: 64 }],
        series: [{ label: "model", value: (u, v) => ns(v == null ? null : v * 1e-9) },
          { label: "circuit − model", paths: () => null, points: { show: true, size: 5, fill: HUES[0] }, stroke: HUES[0] }],
        hooks: { ready: [(u) => u.over.addEventListener("click", () => {
          const at = u.cursor.idx;
          if (at == null || !chosen().samples.includes(samples_[at])) return;
          sample.value = samples_[at];
          neuron.value = neurons_[at];
          draw();
        })] },
      }, [x, y], parity));
    }

    function waves(layer) {
      const time = floats(layer.time), series = [{ label: "time", value: (u, v) => ns(v) }], columns = [time];
      const rows = layer.lines.filter((line) => line.sample === Number(sample.value) && (neuron.value === "all" || line.neuron === Number(neuron.value)));
      for (const line of rows) {
        const stroke = HUES[line.neuron % HUES.length], volts = (u, v) => (v == null ? "–" : `${v.toFixed(4)} V`);
        series.push({ label: `${line.neuron} circuit`, stroke, width: 1.5, value: volts });
        series.push({ label: `${line.neuron} model`, stroke, width: 1.2, dash: [5, 4], value: volts });
        columns.push(floats(line.circuit), floats(line.model));
      }
      charts.push(new uPlot({
        ...size(membranes, 200),
        title: `membranes of layer ${layer.layer}`,
        scales: { x: { time: false } },
        cursor: { sync: { key: follow.key, setSeries: false } },
        legend: { show: rows.length <= 2 },
        axes: [{ values: (u, ticks) => ticks.map((v) => `${(v * 1e6).toFixed(2)} µs`) }, { label: "V", size: 64 }],
        series,
      }, columns, membranes));
    }

    addEventListener("resize", () => { for (const chart of charts) chart.setSize({ width: Math.max(280, figure.clientWidth), height: chart.height }); });
    samples();
    draw();
  }
})();
