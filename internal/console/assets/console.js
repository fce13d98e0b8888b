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
		if (file) save(file.dataset.save, document.getElementById(file.dataset.from).textContent);
		const back = at("[data-back]");
		if (back && history.length > 1) {
			event.preventDefault();
			history.back();
		}
		const toggle = at("[data-toggle]");
		if (toggle) each(toggle.dataset.toggle, (part) => { part.hidden = !part.hidden; });
	});

	// A deed that cannot be undone is asked about.
	document.addEventListener("submit", (event) => {
		const question = event.submitter?.dataset.confirm;
		if (question && !confirm(question)) event.preventDefault();
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

	function localTimes(root) {
		each("time[datetime]", (time) => {
			time.textContent = new Date(time.dateTime).toLocaleString(document.documentElement.lang);
		}, root);
	}
	localTimes(document);
	document.addEventListener("htmx:after:swap", () => localTimes(document));
})();
