// The SQL editor of the rule form: colors under a plain text area, the error at
// its place, and a tester that can take what is really published. Everything goes
// into the page as text.
"use strict";
(() => {
	const form = document.querySelector("[data-ruleform]");
	if (!form) return;
	const token = document.querySelector('meta[name="csrf"]').content;
	const sql = form.elements.sql;
	const colors = form.querySelector("[data-sql-editor] pre");
	const problem = form.querySelector("[data-sql-problem]");
	const keywords = new Set("select from where as set value and or not in case when then else end exists cast null true false".split(" "));
	const tokens = /('(?:[^']|'')*'?|"(?:[^"]|"")*"?)|(\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)|(@\w+)|([A-Za-z_]\w*)|(\s+)|([^])/g;
	let mistake = null; // where the statement cannot be read

	// paint writes the statement again, in pieces with a class each.
	function paint() {
		const out = document.createDocumentFragment();
		const text = sql.value;
		const wrong = mistake ? offset(text, mistake.line, mistake.column) : -1;
		let marked = wrong < 0;
		const piece = (part, kind, from) => {
			const bad = !marked && wrong < from + part.length;
			if (bad) marked = true;
			if (!kind && !bad) return out.append(part);
			const span = document.createElement("span");
			span.className = (kind || "") + (bad ? " mistake" : "");
			span.textContent = part;
			out.append(span);
		};
		for (const match of text.matchAll(tokens)) {
			const [whole, string, number, variable, word] = match;
			let kind = "";
			if (string) kind = "string";
			else if (number) kind = "number";
			else if (variable) kind = "variable";
			else if (word && /^\s*\(/.test(text.slice(match.index + whole.length)) && !["in", "and", "or", "not", "where", "from", "exists", "select", "value"].includes(word.toLowerCase())) kind = "function";
			else if (word && keywords.has(word.toLowerCase())) kind = "keyword";
			piece(whole, kind, match.index);
		}
		piece(marked ? "\n" : " \n", "", text.length); // a mistake at the very end has something to underline
		colors.replaceChildren(out);
		follow();
	}

	// offset finds a place that is given in lines and characters, from 1.
	function offset(text, line, column) {
		const before = text.split("\n").slice(0, line - 1).reduce((sum, one) => sum + one.length + 1, 0);
		const rest = [...text.slice(before)].slice(0, column - 1).join("");
		return before + rest.length;
	}

	function follow() {
		colors.scrollTop = sql.scrollTop;
		colors.scrollLeft = sql.scrollLeft;
	}

	const post = (path, fields) => fetch(path, { method: "POST", headers: { "X-CSRF-Token": token, Accept: "application/json" }, body: new URLSearchParams(fields) });

	let checking = 0;
	async function check() {
		const asked = ++checking;
		const answer = await post("/console/sqlcheck", { sql: sql.value, version: form.elements.version.value });
		if (asked !== checking || !answer.ok) return;
		const verdict = await answer.json();
		mistake = verdict.line ? verdict : null;
		problem.hidden = Boolean(verdict.ok);
		const place = verdict.line ? problem.dataset.place.replace("{line}", verdict.line).replace("{column}", verdict.column) + " " : "";
		problem.textContent = verdict.ok ? "" : place + verdict.problem;
		paint();
		if (verdict.ok) listen(verdict.filter);
	}

	let timer;
	const changed = () => {
		mistake = null;
		paint();
		clearTimeout(timer);
		timer = setTimeout(check, 250);
	};
	sql.addEventListener("input", changed);
	sql.addEventListener("scroll", follow);
	form.elements.version.addEventListener("change", changed);

	// What comes on the statement's topic, for the tester.
	const button = form.querySelector("[data-last-message]");
	const live = form.querySelector("[data-live]");
	const note = form.querySelector("[data-last-note]");
	let source, filter, last;
	function listen(topic) {
		if (topic === filter) return;
		source?.close();
		filter = topic;
		last = undefined;
		button.disabled = true;
		note.textContent = topic ? note.dataset.waiting : "";
		if (!topic) return;
		source = new EventSource("/console/stream?" + new URLSearchParams({ filter: topic }));
		source.addEventListener("messages", (event) => {
			const messages = JSON.parse(event.data).messages;
			if (messages.length === 0) return;
			last = messages.at(-1);
			button.disabled = false;
			note.textContent = note.dataset.came.replace("{topic}", () => last.topic).replace("{time}", new Date(last.at).toLocaleTimeString(document.documentElement.lang));
			if (live.checked) tryLast();
		});
		source.addEventListener("error", () => { if (source.readyState === EventSource.CLOSED) note.textContent = ""; });
	}

	function take() {
		form.elements.trytopic.value = last.topic;
		form.elements.trypayload.value = last.text;
		form.elements.trybinary.checked = last.form === "hex";
	}
	button.addEventListener("click", take);

	let trying = false;
	function tryLast() {
		if (trying) return;
		trying = true;
		setTimeout(() => {
			trying = false;
			take();
			form.querySelector('button[value="try"]').click();
		}, 500);
	}
	live.addEventListener("change", () => { if (live.checked && last) tryLast(); });

	paint();
	check();
})();
