// The charts of the overview: the last hour comes in one event, then each sample
// as it is taken.
"use strict";
(() => {
	const root = document.querySelector("[data-charts]");
	if (!root) return;
	const keep = 720; // samples: an hour
	const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
	const lang = document.documentElement.lang;
	let samples = {}; // one list for each line

	const places = [...root.querySelectorAll("[data-chart]")].map((at) => ({
		at,
		lines: [...at.querySelectorAll("[data-line]")].map((line) => ({ member: line.dataset.line, label: line.textContent })),
	}));

	// clock writes seconds where the marks of an axis are nearer than a minute.
	const clock = (step) => ({ hour: "2-digit", minute: "2-digit", hourCycle: "h23", ...(step < 60 && { second: "2-digit" }) });

	function draw(place) {
		place.plot?.destroy();
		const axis = { stroke: color("--soft"), grid: { stroke: color("--line"), width: 1 }, ticks: { stroke: color("--line"), width: 1 } };
		const strokes = [color("--main"), color("--bad")];
		place.plot = new uPlot({
			width: place.at.clientWidth || 300,
			height: 190,
			cursor: { points: { size: 7 } },
			scales: { y: { range: (_, low, high) => [0, Math.max(high * 1.1, 1)] } },
			axes: [
				{ ...axis, space: 70, values: (_, ticks, axis, space, step) => ticks.map((at) => new Date(at * 1000).toLocaleTimeString(lang, clock(step))) },
				{ ...axis, size: 52, values: (_, ticks) => ticks.map((value) => value.toLocaleString(lang, { notation: "compact" })) },
			],
			series: [
				{ label: root.dataset.time, value: (_, at) => at == null ? "–" : new Date(at * 1000).toLocaleTimeString(lang, clock(1)) },
				...place.lines.map((line, i) => ({
					label: line.label, stroke: strokes[i], width: 2, points: { show: false },
					value: (_, value) => value == null ? "–" : value.toLocaleString(lang) + (place.at.dataset.unit === "ms" ? " ms" : ""),
				})),
			],
		}, columns(place), place.at);
	}

	// columns are what uPlot takes: the times, and each line's values.
	function columns(place) {
		return ["at", ...place.lines.map((line) => line.member)].map((name) => samples[name] ?? []);
	}

	const drawAll = () => places.forEach(draw);
	drawAll();
	matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
	const resized = new ResizeObserver((entries) => {
		for (const entry of entries) {
			const place = places.find((one) => one.at === entry.target);
			if (place.plot.width !== entry.target.clientWidth) place.plot.setSize({ width: entry.target.clientWidth, height: 190 });
		}
	});
	for (const place of places) resized.observe(place.at);

	const source = new EventSource(root.dataset.charts);
	source.addEventListener("open", () => { samples = {}; }); // the hour comes anew
	source.addEventListener("samples", (event) => {
		for (const [name, values] of Object.entries(JSON.parse(event.data))) samples[name] = (samples[name] ?? []).concat(values).slice(-keep);
		root.dataset.samples = samples.at?.length ?? 0;
		for (const place of places) place.plot.setData(columns(place));
	});
})();
