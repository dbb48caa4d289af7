package graphqlhttp_test

import (
	"net/http"
	"net/url"
	"testing"

	"parley/transport"
)

// TestStatuses holds the two books of rules side by side: what graphql-http's audits ask for, which
// is the default, and GraphQL over HTTP's draft of August 2026 (§6.4).
func TestStatuses(t *testing.T) {
	type statuses struct{ audited, draft int }
	audited := newRig(t, transport.Options{})
	draft := newRig(t, transport.Options{Draft2026: true})
	for name, test := range map[string]struct {
		body            string
		current, legacy statuses
		want            string
	}{
		"data":                        {`{"query":"{ hello }"}`, statuses{200, 200}, statuses{200, 200}, `{"data":{"hello":"hello"}}`},
		"data and errors":             {`{"query":"{ fail }"}`, statuses{200, 294}, statuses{200, 200}, `{"errors":[{"message":"it failed","extensions":{"code":"INTERNAL"}}],"data":{"fail":null}}`},
		"document not parsed":         {`{"query":"{"}`, statuses{400, 400}, statuses{200, 400}, "BAD_INPUT"},
		"empty document":              {`{"query":""}`, statuses{400, 422}, statuses{200, 422}, "BAD_INPUT"},
		"document not valid":          {`{"query":"{ nothing }"}`, statuses{400, 422}, statuses{200, 422}, "BAD_INPUT"},
		"@defer":                      {`{"query":"{ ... @defer { hello } }"}`, statuses{400, 422}, statuses{200, 422}, "BAD_INPUT"},
		"operation not found":         {`{"query":"query A { hello } query B { fail }","operationName":"C"}`, statuses{400, 422}, statuses{200, 422}, "BAD_INPUT"},
		"operation not named":         {`{"query":"query A { hello } query B { fail }"}`, statuses{400, 422}, statuses{200, 422}, "BAD_INPUT"},
		"variable not coerced":        {`{"query":"query($n: Int!) { big(size: $n) }","variables":{"n":"x"}}`, statuses{400, 422}, statuses{200, 422}, "BAD_INPUT"},
		"variable missing":            {`{"query":"query($n: Int!) { big(size: $n) }"}`, statuses{400, 422}, statuses{200, 422}, "BAD_INPUT"},
		"execution that left no data": {`{"query":"{ panic }"}`, statuses{500, 500}, statuses{200, 500}, "INTERNAL"},
		"JSON not parsed":             {`{"query":`, statuses{400, 400}, statuses{400, 400}, "BAD_INPUT"},
		"something behind the JSON":   {`{"query":"{ hello }"}{}`, statuses{400, 400}, statuses{400, 400}, "BAD_INPUT"},
		"not UTF-8":                   {"{\"query\":\"\xff\"}", statuses{400, 400}, statuses{400, 400}, "BAD_INPUT"},
		"array (batching)":            {`[{"query":"{ hello }"}]`, statuses{400, 422}, statuses{400, 422}, "BAD_INPUT"},
		"query missing":               {`{"qeury":"{ hello }"}`, statuses{400, 422}, statuses{400, 422}, "BAD_INPUT"},
		"query not a string":          {`{"query":7}`, statuses{400, 422}, statuses{400, 422}, "BAD_INPUT"},
		"variables not an object":     {`{"query":"{ hello }","variables":[7]}`, statuses{400, 422}, statuses{400, 422}, "BAD_INPUT"},
		"subscription":                {`{"query":"subscription { ticks(log: \"a\") }"}`, statuses{406, 406}, statuses{406, 406}, "BAD_INPUT"},
	} {
		t.Run(name, func(t *testing.T) {
			ask := func(accept string) (byAudits, byDraft *http.Response) {
				header := http.Header{"Accept": {accept}}
				byAudits, auditedBody := audited.Post(t, test.body, header)
				byDraft, draftBody := draft.Post(t, test.body, header)
				if auditedBody != draftBody {
					t.Errorf("the rules differ in more than the status:\n%s\n%s", auditedBody, draftBody)
				}
				want(t, byDraft, draftBody, byDraft.StatusCode, test.want)
				return byAudits, byDraft
			}
			for accept, expected := range map[string]statuses{current: test.current, legacy: test.legacy} {
				byAudits, byDraft := ask(accept)
				if got := (statuses{byAudits.StatusCode, byDraft.StatusCode}); got != expected {
					t.Errorf("%s: got %+v, want %+v", accept, got, expected)
				}
			}
		})
	}
}

// A client that takes application/json only may trust the body of a success alone, so the draft has
// failures name the media type that says they are GraphQL's own.
func TestDraftMediaTypes(t *testing.T) {
	rig := newRig(t, transport.Options{Draft2026: true})
	for name, test := range map[string]struct{ accept, query, media string }{
		"success":                   {legacy, `{ hello }`, legacy},
		"partial success":           {legacy, `{ fail }`, legacy},
		"failure":                   {legacy, `{ nothing }`, current},
		"failure, nothing accepted": {"", `{ nothing }`, current},
		"success in the new type":   {current, `{ hello }`, current},
	} {
		t.Run(name, func(t *testing.T) {
			header := http.Header{}
			if test.accept != "" {
				header.Set("Accept", test.accept)
			}
			response, _ := get(t, rig, url.Values{"query": {test.query}}, header)
			if got := response.Header.Get("Content-Type"); got != test.media+"; charset=utf-8" {
				t.Errorf("got %s", got)
			}
		})
	}
}

func TestDraftOverGet(t *testing.T) {
	rig := newRig(t, transport.Options{Draft2026: true})
	for name, test := range map[string]struct {
		query  url.Values
		status int
	}{
		"no query":               {url.Values{}, 422},
		"malformed variables":    {url.Values{"query": {"{ hello }"}, "variables": {"{"}}, 422},
		"variables an array":     {url.Values{"query": {"{ hello }"}, "variables": {"[]"}}, 422},
		"mutation":               {url.Values{"query": {`mutation { say(text: "x") }`}}, 405},
		"document not parsed":    {url.Values{"query": {"{"}}, 400},
		"document not valid":     {url.Values{"query": {"{ nothing }"}}, 422},
		"nothing to complain of": {url.Values{"query": {"{ hello }"}}, 200},
	} {
		t.Run(name, func(t *testing.T) {
			response, body := get(t, rig, test.query, http.Header{"Accept": {current}})
			if response.StatusCode != test.status {
				t.Errorf("got %d %s, want %d", response.StatusCode, body, test.status)
			}
		})
	}
}
