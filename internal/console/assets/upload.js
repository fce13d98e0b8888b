// Files go to a bucket one after the other, each with its progress.
"use strict";
(() => {
	const form = document.querySelector("[data-upload]");
	if (!form) return;
	const list = form.querySelector("[data-progress]");

	function send(file) {
		const row = document.createElement("li");
		const bar = document.createElement("progress");
		const outcome = document.createElement("span");
		bar.max = 1;
		bar.value = 0;
		row.append(file.name + " ", bar, " ", outcome);
		list.append(row);
		return new Promise((resolve) => {
			const request = new XMLHttpRequest();
			request.open("POST", form.dataset.upload + "?" + new URLSearchParams({ key: form.dataset.prefix + file.name, type: file.type }));
			request.setRequestHeader("X-CSRF-Token", document.querySelector('meta[name="csrf"]').content);
			request.setRequestHeader("Content-Type", "application/octet-stream");
			request.setRequestHeader("Accept", "application/json");
			request.upload.addEventListener("progress", (event) => { if (event.lengthComputable && event.total) bar.value = event.loaded / event.total; });
			request.addEventListener("loadend", () => {
				const ok = request.status === 204;
				if (ok) bar.value = 1;
				outcome.className = ok ? "status good" : "status bad";
				outcome.textContent = ok ? form.dataset.done : request.responseText || String(request.status);
				resolve(ok);
			});
			request.send(file);
		});
	}

	form.addEventListener("submit", async (event) => {
		event.preventDefault();
		list.replaceChildren();
		let good = true;
		for (const file of form.querySelector("input[type=file]").files) good = (await send(file)) && good;
		if (good) location.reload();
	});
})();
