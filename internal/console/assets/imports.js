// Files of the bulk import: a manifest goes in one request with its form, the
// parameters of a registration task into the bucket before their form.
"use strict";
(() => {
	const token = document.querySelector('meta[name="csrf"]').content;

	function send(form, path, body, headers) {
		const bar = form.querySelector("progress");
		const outcome = form.querySelector("[data-outcome]");
		bar.hidden = false;
		outcome.hidden = true;
		return new Promise((resolve) => {
			const request = new XMLHttpRequest();
			request.open("POST", path);
			request.setRequestHeader("X-CSRF-Token", token);
			request.setRequestHeader("Accept", "application/json");
			for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
			request.upload.addEventListener("progress", (event) => { if (event.lengthComputable && event.total) bar.value = event.loaded / event.total; });
			request.addEventListener("loadend", () => {
				const ok = request.status >= 200 && request.status < 300;
				outcome.hidden = ok;
				outcome.textContent = ok ? "" : request.responseText || String(request.status);
				resolve(ok ? request : null);
			});
			request.send(body);
		});
	}

	document.querySelector("[data-send]")?.addEventListener("submit", async (event) => {
		event.preventDefault();
		const form = event.target;
		const done = await send(form, form.dataset.send, new FormData(form), {});
		if (done) location.assign(done.getResponseHeader("Location"));
	});

	document.querySelector("[data-task]")?.addEventListener("submit", async (event) => {
		event.preventDefault();
		const form = event.target;
		const file = form.querySelector("input[type=file]").files[0];
		const key = "registration/" + file.name;
		const path = "/console/buckets/" + encodeURIComponent(form.elements.bucket.value) + "/objects?" + new URLSearchParams({ key });
		if (!(await send(form, path, file, { "Content-Type": "application/octet-stream" }))) return;
		form.elements.key.value = key;
		form.submit();
	});
})();
