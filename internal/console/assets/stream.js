// Messages as they are published. They come in batches and are drawn in batches:
// whatever the rate, the page draws a few times a second and holds so many rows.
"use strict";
(() => {
	const rowsMax = 200;
	const drawEvery = 200; // milliseconds

	const make = (name, className, text) => {
		const element = document.createElement(name);
		if (className) element.className = className;
		if (text !== undefined) element.textContent = text;
		return element;
	};

	class Stream {
		constructor(root) {
			this.root = root;
			this.list = root.querySelector("[data-list]");
			this.filters = [...root.querySelectorAll("[data-filter]")].map((chip) => chip.dataset.filter);
			this.fixed = root.dataset.fixed === "true";
			this.waiting = [];
			this.received = 0;
			this.dropped = 0;
			this.droppedBefore = 0;
			this.paused = false;
			if (!this.fixed && this.filters.length === 0) this.filters = JSON.parse(sessionStorage.getItem("thingd-filters") || "[]");
			this.chips();
			this.connect();
			root.querySelector("[data-pause-button]").addEventListener("click", (event) => this.pause(event.currentTarget));
			root.querySelector("[data-clear]").addEventListener("click", () => this.clear());
			setInterval(() => this.draw(), drawEvery);
		}

		connect() {
			this.source?.close();
			this.droppedBefore = this.dropped;
			if (this.filters.length === 0) return;
			const query = new URLSearchParams(this.filters.map((filter) => ["filter", filter]));
			if (this.root.dataset.client) query.set("client", this.root.dataset.client);
			this.source = new EventSource("/console/stream?" + query);
			this.source.addEventListener("open", () => {
				this.root.dataset.open = "true";
				this.trouble("");
			});
			this.source.addEventListener("error", () => this.trouble(this.root.dataset.lost));
			this.source.addEventListener("messages", (event) => this.take(JSON.parse(event.data)));
		}

		take(batch) {
			this.received += batch.messages.length;
			this.dropped = this.droppedBefore + batch.dropped;
			this.waiting.push(...batch.messages);
			if (this.waiting.length > rowsMax) this.waiting = this.waiting.slice(-rowsMax);
			this.changed = true;
		}

		draw() {
			if (!this.changed || document.hidden) return;
			this.changed = false;
			this.root.querySelector("[data-received]").textContent = this.received;
			this.root.querySelector("[data-dropped]").textContent = this.dropped;
			if (this.paused || this.waiting.length === 0) return;
			const fresh = document.createDocumentFragment();
			for (const message of this.waiting.reverse()) fresh.append(this.row(message));
			this.waiting = [];
			this.list.prepend(fresh);
			while (this.list.children.length > rowsMax) this.list.lastElementChild.remove();
			this.root.querySelector("[data-none]").hidden = true;
		}

		row(message) {
			const row = make("li");
			const meta = make("div", "meta");
			meta.append(make("span", "topic mono", message.topic));
			meta.append(make("span", "", new Date(message.at).toLocaleTimeString(document.documentElement.lang, { hour12: false, hour: "2-digit", minute: "2-digit", second: "2-digit", fractionalSecondDigits: 3 })));
			meta.append(make("span", "", "QoS " + message.qos));
			if (message.retain) meta.append(make("span", "status warn", this.root.dataset.retained));
			if (message.client) meta.append(make("span", "mono", message.client));
			meta.append(make("span", "", message.size + " " + this.root.dataset.bytes));
			if (message.form === "hex") meta.append(make("span", "status", "hex"));
			row.append(meta, make("pre", "", message.text));
			if (message.cut) row.append(make("p", "hint", this.root.dataset.cut));
			return row;
		}

		async add(filter) {
			if (this.filters.includes(filter)) return;
			const answer = await fetch("/console/stream/check?" + new URLSearchParams({ filter }), { headers: { Accept: "application/json" } });
			if (!answer.ok) {
				this.trouble(await answer.text());
				return;
			}
			this.filters.push(filter);
			this.settle();
		}

		remove(filter) {
			this.filters = this.filters.filter((one) => one !== filter);
			this.settle();
		}

		settle() {
			sessionStorage.setItem("thingd-filters", JSON.stringify(this.filters));
			this.chips();
			this.trouble("");
			this.connect();
		}

		chips() {
			if (this.fixed) return;
			this.root.querySelector("[data-chips]").replaceChildren(...this.filters.map((filter) => {
				const chip = make("li");
				const button = make("button", "", "✕");
				button.type = "button";
				button.setAttribute("aria-label", this.root.dataset.unsubscribe + " " + filter);
				button.addEventListener("click", () => this.remove(filter));
				chip.append(make("span", "mono", filter), button);
				return chip;
			}));
		}

		pause(button) {
			this.paused = !this.paused;
			this.changed = true;
			button.setAttribute("aria-pressed", String(this.paused));
			button.textContent = this.paused ? this.root.dataset.resume : this.root.dataset.pause;
		}

		clear() {
			this.waiting = [];
			this.list.replaceChildren();
			this.root.querySelector("[data-none]").hidden = false;
		}

		trouble(text) {
			const place = this.root.querySelector("[data-trouble]");
			place.textContent = text;
			place.hidden = !text;
		}
	}

	const root = document.querySelector("[data-stream]");
	if (!root) return;
	const stream = new Stream(root);

	document.querySelector("[data-subscribe]")?.addEventListener("submit", (event) => {
		event.preventDefault();
		const input = event.target.elements.filter;
		stream.add(input.value.trim());
		input.value = "";
	});

	document.querySelector("[data-publish]")?.addEventListener("submit", async (event) => {
		event.preventDefault();
		const form = event.target;
		const outcome = form.querySelector("[data-outcome]");
		const answer = await fetch(form.action, { method: "POST", body: new URLSearchParams(new FormData(form)), headers: { Accept: "application/json" } });
		outcome.textContent = answer.ok ? form.dataset.done : await answer.text();
		outcome.className = answer.ok ? "hint" : "problem";
	});
})();
