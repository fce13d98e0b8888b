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
			const rows = document.querySelector("[data-rows]");
			const row = rows.lastElementChild.cloneNode(true);
			each("input", (input) => { input.value = ""; }, row);
			rows.append(row);
			row.querySelector("input, select").focus();
		}
		const row = event.target.closest("[data-remove-row]")?.closest("[data-row]");
		if (row && row.parentElement.children.length > 1) row.remove();
	});
	document.addEventListener("change", (event) => {
		const { show, hide } = event.target.dataset;
		if (hide) each(hide, (part) => { part.hidden = true; });
		if (show) each(show, (part) => { part.hidden = false; });
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

	function localTimes(root) {
		each("time[datetime]", (time) => {
			time.textContent = new Date(time.dateTime).toLocaleString(document.documentElement.lang);
		}, root);
	}
	localTimes(document);
	document.addEventListener("htmx:after:swap", () => {
		localTimes(document);
		const problem = document.getElementById("problem");
		if (problem.textContent.trim()) problem.scrollIntoView({ block: "nearest" });
	});
})();
