// A page that was opened from a file may start no worker, which is what searches here.
// There, and only there, this puts a frame in its place that runs the same script.
"use strict";

if (location.protocol === "file:") {
  window.Worker = class extends EventTarget {
    constructor(url) {
      super();
      this.onmessage = null;
      this.waiting = [];
      this.frame = document.createElement("iframe");
      this.frame.hidden = true;
      this.frame.addEventListener("load", () => this.begin(`${url}`), { once: true });
      document.body.appendChild(this.frame);
    }

    // What a worker has, as globals of the frame: the script knows no other.
    begin(url) {
      const inside = this.frame.contentWindow;
      inside.postMessage = (data) => this.tell(data);
      inside.importScripts = (...urls) =>
        urls.reduce(
          (before, each) => before.then(() => loaded(inside.document, each)),
          Promise.resolve(),
        );
      loaded(inside.document, url).then(() => {
        this.inside = inside;
        this.waiting.splice(0).forEach((data) => this.ask(data));
      });
    }

    postMessage(data) {
      if (this.inside) this.ask(data);
      else this.waiting.push(data);
    }

    ask(data) {
      this.inside.dispatchEvent(new this.inside.MessageEvent("message", { data }));
    }

    tell(data) {
      const event = new MessageEvent("message", { data });
      this.dispatchEvent(event);
      if (this.onmessage) this.onmessage(event);
    }

    terminate() {
      this.frame.remove();
    }
  };
}

function loaded(document_, url) {
  return new Promise((done, failed) => {
    const script = document_.createElement("script");
    script.src = url;
    script.onload = done;
    script.onerror = failed;
    document_.body.appendChild(script);
  });
}
