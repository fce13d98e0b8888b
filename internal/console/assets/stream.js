// Messages as they are published. They come in batches and are drawn in batches:
// whatever the rate, the page draws a few times a second, keeps so many messages
// and shows so many rows.
"use strict";
(() => {
	const rowsMax = 200; // in the page
	const keptMax = 2000; // to search in
	const keptText = 4 << 20; // characters of them
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
			this.subscriptions = [...root.querySelectorAll("[data-filter]")].map((chip) => ({ filter: chip.dataset.filter }));
			this.fixed = root.dataset.fixed === "true";
			this.kept = []; // the oldest first
			this.text = 0;
			this.fresh = 0; // of them, not drawn yet
			this.received = 0;
			this.dropped = 0;
			this.droppedBefore = 0;
			this.paused = false;
			this.wanted = "";
			this.meter = { at: performance.now(), received: 0 };
			if (!this.fixed && this.subscriptions.length === 0) this.subscriptions = JSON.parse(sessionStorage.getItem("thingd-subscriptions") || "[]");
			this.chips();
			this.connect();
			root.querySelector("[data-pause-button]").addEventListener("click", (event) => this.pause(event.currentTarget));
			root.querySelector("[data-clear]").addEventListener("click", () => this.clear());
			this.list.addEventListener("click", (event) => this.copy(event.target.closest("[data-as]")));
			setInterval(() => this.measure(), 1000);
		}

		connect() {
			this.source?.close();
			this.droppedBefore = this.dropped;
			if (this.subscriptions.length === 0) return;
			const query = new URLSearchParams();
			for (const one of this.subscriptions) {
				query.append("filter", one.filter);
				if (one.qos !== undefined) query.append("qos", one.qos);
			}
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
			for (const message of batch.messages) {
				this.kept.push(message);
				this.text += message.text.length;
			}
			this.fresh += batch.messages.length;
			this.forget();
			this.ask();
		}

		// forget keeps the newest, as many as are allowed.
		forget() {
			let n = Math.max(0, this.kept.length - keptMax);
			let text = this.text;
			for (let i = 0; i < this.kept.length && (i < n || text > keptText); i++) {
				text -= this.kept[i].text.length;
				n = Math.max(n, i + 1);
			}
			this.text = text;
			if (n > 0) this.kept.splice(0, n);
			this.fresh = Math.min(this.fresh, this.kept.length);
		}

		// ask has the page drawn with its next frame, and not too often.
		ask() {
			if (this.asked) return;
			this.asked = true;
			setTimeout(() => requestAnimationFrame(() => {
				this.asked = false;
				this.draw();
			}), Math.max(0, drawEvery - (performance.now() - (this.drawn ?? -drawEvery))));
		}

		draw() {
			this.drawn = performance.now();
			this.root.querySelector("[data-received]").textContent = this.received;
			this.root.querySelector("[data-dropped]").textContent = this.dropped;
			if (this.paused || this.fresh === 0) return;
			this.show(this.kept.slice(-this.fresh));
			this.fresh = 0;
		}

		// show puts messages on top, the newest first.
		show(messages) {
			const rows = document.createDocumentFragment();
			let n = 0;
			for (let i = messages.length - 1; i >= 0 && n < rowsMax; i--) {
				if (!this.matches(messages[i])) continue;
				rows.append(this.row(messages[i]));
				n++;
			}
			if (n === rowsMax) this.list.replaceChildren(rows);
			else this.list.prepend(rows);
			while (this.list.children.length > rowsMax) this.list.lastElementChild.remove();
			this.root.querySelector("[data-none]").hidden = this.list.children.length > 0;
		}

		matches(message) {
			return !this.wanted || message.topic.toLowerCase().includes(this.wanted) || message.text.toLowerCase().includes(this.wanted);
		}

		// find shows only what has the text, of all that is kept.
		find(text) {
			this.wanted = text.toLowerCase();
			this.list.replaceChildren();
			this.fresh = 0;
			this.show(this.kept);
		}

		measure() {
			const now = performance.now();
			const rate = Math.round((this.received - this.meter.received) * 1000 / (now - this.meter.at));
			this.meter = { at: now, received: this.received };
			this.root.querySelector("[data-rate]").textContent = rate.toLocaleString(document.documentElement.lang);
		}

		row(message) {
			const row = make("li");
			row.message = message;
			const meta = make("div", "meta");
			meta.append(make("span", "topic mono", message.topic));
			meta.append(make("span", "", clock.format(message.at)));
			meta.append(make("span", "", "QoS " + message.qos));
			if (message.retain) meta.append(make("span", "status warn", this.root.dataset.retained));
			if (message.client) meta.append(make("span", "mono", message.client));
			meta.append(make("span", "", message.size + " " + this.root.dataset.bytes));
			if (message.form === "hex") meta.append(make("span", "status", "hex"));
			const copies = make("span", "copies");
			for (const [as, label] of [["mosquitto", this.root.dataset.copyMosquitto], ["curl", this.root.dataset.copyHttp]]) {
				const button = make("button", "quiet", label);
				button.type = "button";
				button.dataset.as = as;
				copies.append(button);
			}
			meta.append(copies);
			row.append(meta, make("pre", "", message.text));
			if (message.properties) {
				row.append(make("p", "properties mono", message.properties.map((one) => (one.user ? one.name + "=" : one.name + ": ") + one.value).join(" · ")));
			}
			if (message.cut) row.append(make("p", "hint", this.root.dataset.cut));
			return row;
		}

		// copy gives a command that publishes the same again.
		async copy(button) {
			if (!button) return;
			const label = button.textContent;
			await navigator.clipboard.writeText(this.command(button.closest("li").message, button.dataset.as));
			button.textContent = this.root.dataset.copied;
			setTimeout(() => { button.textContent = label; }, 1500);
		}

		command(message, as) {
			const { host, port } = this.root.dataset;
			const quoted = (text) => "'" + text.replaceAll("'", "'\\''") + "'";
			const hex = message.form === "hex";
			const source = hex ? "printf " + quoted(message.text.split(/\s+/).map((byte) => "\\x" + byte).join("")) + " | " : "";
			if (as === "curl") {
				const topic = message.topic.split("/").map(encodeURIComponent).join("/");
				return source + "curl --cacert root-ca.pem --cert certificate.pem.crt --key private.pem.key" +
					" --data-binary " + (hex ? "@-" : quoted(message.text)) + " " + quoted("https://" + host + ":" + port + "/topics/" + topic + "?qos=" + Math.min(message.qos, 1));
			}
			return source + "mosquitto_pub -h " + quoted(host) + " -p " + port + " --cafile root-ca.pem --cert certificate.pem.crt --key private.pem.key" +
				(message.properties ? " -V 5" + this.options(message.properties, quoted) : "") +
				" -q " + message.qos + (message.retain ? " -r" : "") + " -t " + quoted(message.topic) + (hex ? " -s" : " -m " + quoted(message.text));
		}

		// options are the properties as mosquitto_pub takes them.
		options(properties, quoted) {
			const names = { "Content Type": "content-type", "Response Topic": "response-topic", "Correlation Data": "correlation-data" };
			return properties.map((one) => {
				if (one.user) return " -D PUBLISH user-property " + quoted(one.name) + " " + quoted(one.value);
				return names[one.name] ? " -D PUBLISH " + names[one.name] + " " + quoted(one.value) : "";
			}).join("");
		}

		async add(filter, qos) {
			if (this.subscriptions.some((one) => one.filter === filter && one.qos === qos)) return;
			const answer = await fetch("/console/stream/check?" + new URLSearchParams({ filter }), { headers: { Accept: "application/json" } });
			if (!answer.ok) {
				this.trouble(await answer.text());
				return;
			}
			this.subscriptions = this.subscriptions.filter((one) => one.filter !== filter).concat({ filter, qos });
			this.settle();
		}

		remove(filter) {
			this.subscriptions = this.subscriptions.filter((one) => one.filter !== filter);
			this.settle();
		}

		settle() {
			sessionStorage.setItem("thingd-subscriptions", JSON.stringify(this.subscriptions));
			this.chips();
			this.trouble("");
			delete this.root.dataset.open;
			this.connect();
		}

		chips() {
			if (this.fixed) return;
			this.root.querySelector("[data-chips]").replaceChildren(...this.subscriptions.map(({ filter, qos }) => {
				const chip = make("li");
				const button = make("button", "", "✕");
				button.type = "button";
				button.setAttribute("aria-label", this.root.dataset.unsubscribe + " " + filter);
				button.addEventListener("click", () => this.remove(filter));
				chip.append(make("span", "mono", filter), qos === undefined ? "" : make("span", "hint", " QoS " + qos), button);
				return chip;
			}));
		}

		pause(button) {
			this.paused = !this.paused;
			button.setAttribute("aria-pressed", String(this.paused));
			button.textContent = this.paused ? this.root.dataset.resume : this.root.dataset.pause;
			this.ask();
		}

		clear() {
			this.kept = [];
			this.text = this.fresh = 0;
			this.list.replaceChildren();
			this.root.querySelector("[data-none]").hidden = false;
		}

		trouble(text) {
			const place = this.root.querySelector("[data-trouble]");
			place.textContent = text;
			place.hidden = !text;
		}
	}

	const clock = new Intl.DateTimeFormat(document.documentElement.lang, { hour12: false, hour: "2-digit", minute: "2-digit", second: "2-digit", fractionalSecondDigits: 3 });
	const root = document.querySelector("[data-stream]");
	if (!root) return;
	const stream = new Stream(root);

	document.querySelector("[data-subscribe]")?.addEventListener("submit", (event) => {
		event.preventDefault();
		const { filter, qos } = event.target.elements;
		stream.add(filter.value.trim(), Number(qos.value));
		filter.value = "";
	});
	document.querySelector("[data-local]")?.addEventListener("submit", (event) => event.preventDefault());
	document.querySelector("[data-find]")?.addEventListener("input", (event) => stream.find(event.target.value.trim()));

	document.querySelector("[data-publish]")?.addEventListener("submit", async (event) => {
		event.preventDefault();
		const form = event.target;
		const outcome = form.querySelector("[data-outcome]");
		const answer = await fetch(form.action, { method: "POST", body: new URLSearchParams(new FormData(form)), headers: { Accept: "application/json" } });
		outcome.textContent = answer.ok ? form.dataset.done : await answer.text();
		outcome.className = answer.ok ? "hint" : "problem";
	});
})();
