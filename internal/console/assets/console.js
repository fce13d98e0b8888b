// What the pages cannot do in HTML alone. Data goes into the page as text only.
"use strict";
(() => {
	const each = (selector, fn, root = document) => root.querySelectorAll(selector).forEach(fn);

	document.addEventListener("click", (event) => {
		const at = (selector) => event.target.closest(selector);
		const menu = at("[data-menu]");
		if (menu) {
			const open = document.getElementById("nav").classList.toggle("open");
			menu.setAttribute("aria-expanded", String(open));
		}
		const copy = at("[data-copy]");
		if (copy) copyText(copy);
		const file = at("[data-save]");
		if (file) {
			const from = document.getElementById(file.dataset.from);
			save(file.dataset.save, from.textContent);
			delete from.dataset.unsaved;
		}
		const back = at("[data-back]");
		if (back && history.length > 1) {
			event.preventDefault();
			history.back();
		}
		const toggle = at("[data-toggle]");
		if (toggle) each(toggle.dataset.toggle, (part) => { part.hidden = !part.hidden; });
	});

	// A deed that cannot be undone is asked about, before htmx hears of it.
	document.addEventListener("submit", (event) => {
		const question = event.submitter?.dataset.confirm;
		if (question && !confirm(question)) {
			event.preventDefault();
			event.stopPropagation();
		}
	}, true);
	document.addEventListener("submit", (event) => {
		if (event.target.matches("[data-inplace]")) document.getElementById("problem").replaceChildren();
	});

	// Rows of a form, and halves of it that are shown by choice.
	document.addEventListener("click", (event) => {
		if (event.target.closest("[data-add-row]")) {
			const rows = (event.target.closest("[data-rowed]") ?? document).querySelector("[data-rows]");
			const row = rows.lastElementChild.cloneNode(true);
			each("input", (input) => { input.value = ""; }, row);
			each("[data-kept]", (kept) => kept.remove(), row);
			rows.append(row);
			row.querySelector("input, select").focus();
		}
		const row = event.target.closest("[data-remove-row]")?.closest("[data-row]");
		if (row && row.parentElement.children.length > 1) row.remove();
		else if (row) each("input", (input) => { input.value = ""; }, row);
	});
	document.addEventListener("change", (event) => {
		const { show, hide } = (event.target.selectedOptions?.[0] ?? event.target).dataset;
		if (hide) each(hide, (part) => { part.hidden = true; });
		if (show) each(show, (part) => { part.hidden = false; });
	});

	// A file goes into the field beside it; what is DER becomes PEM.
	document.addEventListener("change", async (event) => {
		const { fileInto, kind } = event.target.dataset;
		const file = event.target.files?.[0];
		if (!fileInto || !file) return;
		const bytes = new Uint8Array(await file.slice(0, 64 << 10).arrayBuffer());
		const text = new TextDecoder().decode(bytes);
		document.getElementById(fileInto).value = text.includes("-----BEGIN ") ? text : pem(kind, bytes);
	});

	function pem(kind, bytes) {
		const base64 = btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join("")).replace(/.{64}/g, "$&\n");
		return `-----BEGIN ${kind}-----\n${base64.trim()}\n-----END ${kind}-----\n`;
	}

	// The place of a mistake in a text is marked in the text.
	each("[data-at]", (problem) => {
		const field = document.getElementById(problem.dataset.at);
		if (!field) return;
		const lines = field.value.split("\n");
		const line = Math.min(problem.dataset.line, lines.length) - 1;
		const before = lines.slice(0, line).reduce((sum, text) => sum + text.length + 1, 0);
		const column = [...lines[line]].slice(0, problem.dataset.column - 1).join("").length;
		field.focus();
		field.setSelectionRange(before + column, before + lines[line].length);
	});

	// A private key that nobody has saved is lost with its page.
	window.addEventListener("beforeunload", (event) => {
		if (document.querySelector("[data-unsaved]")) event.preventDefault();
	});

	async function copyText(button) {
		const text = button.closest(".copyable").querySelector("code, pre").textContent;
		await navigator.clipboard.writeText(text);
		const before = button.textContent;
		button.textContent = button.dataset.done;
		setTimeout(() => { button.textContent = before; }, 1500);
	}

	// Keys are shown once and kept nowhere: the file is made here from the page.
	function save(name, text) {
		const link = document.createElement("a");
		link.href = URL.createObjectURL(new Blob([text], { type: "application/x-pem-file" }));
		link.download = name;
		link.click();
		setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
	}

	// A list that is asked for anew when the server says that there is news; not
	// under the hands of somebody who is just choosing something in it.
	const news = document.querySelector("[data-news]");
	if (news) {
		new EventSource(news.dataset.news).addEventListener("news", () => {
			const list = document.getElementById(news.id);
			if (!list.contains(document.activeElement)) list.dispatchEvent(new Event("news"));
		});
	}

	// Times are the visitor's; the server's UTC is there for who asks.
	const clock = new Intl.DateTimeFormat(document.documentElement.lang, { dateStyle: "medium", timeStyle: "medium", hourCycle: "h23" });
	function localTimes(root) {
		each("time[datetime]", (time) => {
			time.title = time.dateTime.replace("T", " ").replace("Z", " UTC");
			time.textContent = clock.format(new Date(time.dateTime));
		}, root);
	}
	localTimes(document);
	document.addEventListener("htmx:after:swap", () => {
		localTimes(document);
		const problem = document.getElementById("problem");
		if (problem.textContent.trim()) problem.scrollIntoView({ block: "nearest" });
	});
})();
