import { assertEquals } from "@std/assert";
import { type Hole, markup } from "../../lib/inspector/pages/html.ts";
import { commonName, shorten, taskAnchor } from "../../lib/inspector/pages/labels.ts";
import { test } from "../harness.ts";

test("whatever is put into HTML is text", () => {
  const hostile = `<script>alert("1")</script>&amp;'`;
  assertEquals(
    markup`<p title="${hostile}">${hostile}</p>`.text,
    `<p title="${"&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;&amp;amp;&#39;"}">` +
      "&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;&amp;amp;&#39;</p>",
  );
});

test("data that looks like our HTML is escaped, too", () => {
  const forged: Hole = { text: "<b>" };
  assertEquals(markup`${forged}${["<i>", [2, undefined, false]]}`.text.includes("<b>"), false);
  assertEquals(markup`${["<i>", [2, undefined, false]]}`.text, "&lt;i&gt;2");
});

test("characters that turn text around or are not to be seen are shown by their numbers", () => {
  assertEquals(
    markup`${"a\u202egpj.exe\u2066\u0000\u001b[31m\u200b\ud800!\tb\n"}`.text,
    [
      "a⟨U+202E⟩gpj.exe⟨U+2066⟩⟨U+0000⟩⟨U+001B⟩[31m⟨U+200B⟩⟨U+D800⟩!\tb\n",
    ].join(""),
  );
  assertEquals(markup`${"日本語 👩‍👩‍👧 é"}`.text, "日本語 👩‍👩‍👧 é");
});

test("a long name keeps its beginning and its end, and never half a character", () => {
  assertEquals(shorten("fetch-customers-of-region-eu-west-17", 16), "fetch-cus…est-17");
  assertEquals(shorten("東京都の顧客データを取得する", 12), "東京都…する");
  assertEquals(shorten("👩🎉👩🎉👩🎉", 6), "👩…🎉");
});

test("many names are shown by their common part", () => {
  assertEquals([commonName(["fetch-1", "fetch-20", "fetch-3"]), commonName(["a", "b"])], ["fetch-…", "a, …"]);
});

test("a task's anchor is the same in its link and in its id, whatever it is called", () => {
  assertEquals([taskAnchor("a b/ö"), taskAnchor("\ud800"), taskAnchor('"#')], [
    "task-a%20b%2F%C3%B6",
    "task-%EF%BF%BD",
    "task-%22%23",
  ]);
});
