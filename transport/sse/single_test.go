package sse_test

import (
	"net/http"
	"testing"

	"parley/reservation"
	"parley/transport"
)

func TestChecklistReservation(t *testing.T) {
	n := newSingle(t, transport.Options{}, reservation.Options{})
	t.Run("PUT is 201 with a token as text/plain", func(t *testing.T) {
		m := &member{t: t, viewer: "ada"}
		response, token := m.ask(n, http.MethodPut, "", "", nil)
		if response.StatusCode != 201 || response.Header.Get("Content-Type") != "text/plain; charset=utf-8" ||
			response.Header.Get("Cache-Control") != "no-store" || len(token) != 43 {
			t.Errorf("got %d %v %q", response.StatusCode, response.Header, token)
		}
	})
	ada := reserve(t, n, "ada")
	for _, accept := range []string{"text/plain", "*/*", "text/*"} {
		t.Run("PUT that takes "+accept+" is 201", func(t *testing.T) {
			(&member{t: t, viewer: "ada"}).expect(n, "PUT", "", "", http.Header{"Accept": {accept}}, 201, "")
		})
	}
	for _, accept := range []string{"text/event-stream", "application/json", "text/plain;q=0"} {
		t.Run("PUT that takes "+accept+" is 406", func(t *testing.T) {
			(&member{t: t, viewer: "ada"}).expect(n, "PUT", "", "", http.Header{"Accept": {accept}}, 406, "BAD_INPUT")
		})
	}
	t.Run("PUT without a token of a user is 401", func(t *testing.T) {
		(&member{t: t}).expect(n, "PUT", "", "", nil, 401, "UNAUTHENTICATED")
	})
	t.Run("PUT with a reservation replaces it", func(t *testing.T) {
		old := reserve(t, n, "ada")
		old.expect(n, "PUT", "", "", nil, 201, "")
		old.expect(n, "DELETE", "?operationId=1", "", nil, 404, "NOT_FOUND")
	})
	t.Run("PUT with a reservation of another user leaves it", func(t *testing.T) {
		(&member{t: t, viewer: "eve", token: ada.token}).expect(n, "PUT", "", "", nil, 201, "")
		ada.expect(n, "DELETE", "?operationId=1", "", nil, 200, "")
	})
	t.Run("PUT while the stream is open is 409", func(t *testing.T) {
		bob := reserve(t, n, "bob")
		s := bob.open(n, "")
		bob.expect(n, "PUT", "", "", nil, 409, "CONFLICT")
		s.Close()
	})
	t.Run("PATCH is 405", func(t *testing.T) { ada.expect(n, "PATCH", "", "", nil, 405, "BAD_INPUT") })
}

func TestChecklistStream(t *testing.T) {
	n := newSingle(t, transport.Options{}, reservation.Options{})
	t.Run("GET opens it, its head at once, and tells a position and when to come back", func(t *testing.T) {
		s := reserve(t, n, "ada").open(n, "")
		for name, want := range map[string]string{
			"Content-Type": "text/event-stream; charset=utf-8", "Cache-Control": "no-cache, no-transform", "X-Accel-Buffering": "no",
		} {
			if got := s.response.Header.Get(name); got != want {
				t.Errorf("%s is %q, want %q", name, got, want)
			}
		}
		first, err := s.block()
		second, err2 := s.block()
		if first.retry == "" || second.id == "" || err != nil || err2 != nil {
			t.Errorf("got %+v, %+v", first, second)
		}
		s.Close()
	})
	t.Run("GET with ?token= opens it for who can send no header", func(t *testing.T) {
		m := reserve(t, n, "ada")
		s := get(t, n.Rig, "token="+m.token, nil)
		m.run(n, "1", `subscription { ticks(log: "q") }`)
		n.Tick("q", "x")
		hears(s, next("1", "x"))
		s.Close()
	})
	t.Run("GET whose user may no longer is 401", func(t *testing.T) {
		s := get(t, n.Rig, "token="+reserve(t, n, "mallory").token, nil)
		if s.response.StatusCode != 401 {
			t.Errorf("got %d", s.response.StatusCode)
		}
	})
	t.Run("GET while the stream is open is 409", func(t *testing.T) {
		m := reserve(t, n, "ada")
		s := m.open(n, "")
		if again := m.tryOpen(n, ""); again.response.StatusCode != 409 {
			t.Errorf("got %d", again.response.StatusCode)
		}
		m.run(n, "1", `{ hello }`) // it goes on
		hears(s, next("1", "hello"))
		hears(s, complete("1"))
		s.Close()
	})
	t.Run("GET with an unknown token is 404", func(t *testing.T) {
		for _, token := range []string{"guessed", reserve(t, n, "ada").token[1:] + "A"} {
			if s := (&member{t: t, viewer: "ada", token: token}).tryOpen(n, ""); s.response.StatusCode != 404 {
				t.Errorf("got %d", s.response.StatusCode)
			}
		}
	})
	t.Run("GET with another user's token is 403", func(t *testing.T) {
		stolen := &member{t: t, viewer: "eve", token: reserve(t, n, "ada").token}
		if s := stolen.tryOpen(n, ""); s.response.StatusCode != 403 {
			t.Errorf("got %d", s.response.StatusCode)
		}
		stolen.expect(n, "DELETE", "?operationId=1", "", nil, 403, "FORBIDDEN")
		if response, _ := stolen.post(n, "1", `{ hello }`, ""); response.StatusCode != 403 {
			t.Errorf("POST: got %d", response.StatusCode)
		}
	})
	t.Run("GET that takes no event stream is 406", func(t *testing.T) {
		reserve(t, n, "ada").expect(n, "GET", "", "", http.Header{"Accept": {"application/json"}}, 406, "BAD_INPUT")
	})
	t.Run("GET with a Last-Event-ID that is none is 400", func(t *testing.T) {
		m, other := reserve(t, n, "ada"), reserve(t, n, "ada").open(n, "")
		if _, err := other.block(); err != nil {
			t.Fatal(err)
		}
		foreign, err := other.block()
		if err != nil {
			t.Fatal(err)
		}
		for _, last := range []string{"junk", foreign.id} {
			if s := m.tryOpen(n, last); s.response.StatusCode != 400 {
				t.Errorf("got %d", s.response.StatusCode)
			}
		}
		other.Close()
	})
	t.Run("an event stream without a reservation is an operation's own", func(t *testing.T) {
		if b := post(t, n.Rig, body(t, `{ hello }`), nil).next(); b.data != `{"data":{"hello":"hello"}}` {
			t.Errorf("got %+v", b)
		}
	})
}

func TestChecklistOperations(t *testing.T) {
	n := newSingle(t, transport.Options{MaxBody: 2000}, reservation.Options{})
	m := reserve(t, n, "ada")
	s := m.open(n, "")
	for name, test := range map[string]struct{ query, value, code string }{
		"query":                   {`{ hello }`, "hello", ""},
		"mutation":                {`mutation { say(text: "x\n\r y") }`, "x\n\r y", ""},
		"validation error":        {`{ nothing }`, "", "BAD_INPUT"},
		"syntax error":            {`{`, "", "BAD_INPUT"},
		"refused subscription":    {`subscription { ticks(log: "missing") }`, "", "NOT_FOUND"},
		"panic of a subscription": {`subscription { panic }`, "", "INTERNAL"},
	} {
		t.Run(name+": 202, then next and complete with its id", func(t *testing.T) {
			m.run(n, `an "id"`, test.query)
			hears(s, told{event: "next", id: `an "id"`, value: test.value, code: test.code})
			hears(s, complete(`an "id"`)) // after which it is free again
		})
	}
	t.Run("subscription: next for each event, with its id", func(t *testing.T) {
		m.run(n, "s", `subscription { ticks(log: "a") }`)
		for _, value := range []string{"1", "2"} {
			n.Tick("a", value)
			hears(s, next("s", value))
		}
	})
	t.Run("POST with the id of an active operation is 409", func(t *testing.T) {
		for _, query := range []string{`{ hello }`, `{`, `subscription { ticks(log: "a") }`} {
			if response, text := m.post(n, "s", query, ""); response.StatusCode != 409 {
				t.Errorf("got %d %s", response.StatusCode, text)
			}
		}
	})
	t.Run("DELETE ends it, and its id is free at once", func(t *testing.T) {
		m.expect(n, "DELETE", "?operationId=s", "", nil, 200, "")
		m.run(n, "s", `subscription { ticks(log: "b") }`)
		n.Tick("a", "not any more")
		n.Tick("b", "new")
		hears(s, next("s", "new"))
		m.expect(n, "DELETE", "?operationId=s", "", nil, 200, "")
	})
	t.Run("DELETE of an unknown operation is 200", func(t *testing.T) { m.expect(n, "DELETE", "?operationId=s", "", nil, 200, "") })
	t.Run("DELETE without operationId is 400", func(t *testing.T) { m.expect(n, "DELETE", "", "", nil, 400, "BAD_INPUT") })
	t.Run("DELETE without a reservation is 404", func(t *testing.T) {
		(&member{t: t, viewer: "ada"}).expect(n, "DELETE", "?operationId=s", "", nil, 404, "NOT_FOUND")
	})
	t.Run("DELETE while a query runs: its POST is 204, and nothing is told", func(t *testing.T) {
		status := make(chan int, 1)
		go func() {
			response, _ := m.post(n, "slow", `{ slow }`, "")
			status <- response.StatusCode
		}()
		<-n.Began
		m.expect(n, "DELETE", "?operationId=slow", "", nil, 200, "")
		n.Finish <- struct{}{}
		if got := <-status; got != 204 {
			t.Errorf("got %d", got)
		}
		m.run(n, "after", `{ hello }`)
		hears(s, next("after", "hello"))
		hears(s, complete("after"))
	})
	for name, extensions := range map[string]string{
		"no extensions": `null`, "no operationId": `{}`, "empty operationId": `{"operationId":""}`, "a number as operationId": `{"operationId":1}`,
		"a long operationId": `{"operationId":"` + string(make129()) + `"}`,
	} {
		t.Run("POST with "+name+" is 400", func(t *testing.T) {
			m.expect(n, "POST", "", `{"query":"{ hello }","extensions":`+extensions+`}`, nil, 400, "BAD_INPUT")
		})
	}
	ok := `{"query":"{ hello }","extensions":{"operationId":"x"}}`
	t.Run("POST that takes no JSON is 406", func(t *testing.T) {
		m.expect(n, "POST", "", ok, http.Header{"Accept": {"text/event-stream"}}, 406, "BAD_INPUT")
	})
	t.Run("POST of another content type is 415", func(t *testing.T) {
		m.expect(n, "POST", "", ok, http.Header{"Content-Type": {"text/plain"}}, 415, "BAD_INPUT")
	})
	t.Run("POST of malformed JSON is 400", func(t *testing.T) { m.expect(n, "POST", "", `{"query":`, nil, 400, "BAD_INPUT") })
	t.Run("POST of a large body is 413", func(t *testing.T) {
		m.expect(n, "POST", "", ok+string(make([]byte, 2000)), nil, 413, "LIMIT_EXCEEDED")
	})
	t.Run("POST with an unknown token is 404", func(t *testing.T) {
		(&member{t: t, viewer: "ada", token: "unknown"}).expect(n, "POST", "", ok, nil, 404, "NOT_FOUND")
	})
	t.Run("POST of nobody is 401", func(t *testing.T) {
		(&member{t: t, token: m.token}).expect(n, "POST", "", ok, nil, 401, "UNAUTHENTICATED")
	})
	s.Close()
}

func make129() []byte {
	id := make([]byte, 129)
	for i := range id {
		id[i] = 'x'
	}
	return id
}

func TestChecklistLateStream(t *testing.T) {
	n := newSingle(t, transport.Options{}, reservation.Options{})
	m := reserve(t, n, "ada")
	n.Tick("a", "before")
	m.run(n, "q", `{ hello }`)
	m.run(n, "s", `subscription { ticks(log: "a") }`)
	m.run(n, "bad", `{ nothing }`)
	n.Tick("a", "1")
	n.Tick("a", "2")
	s := m.open(n, "")
	got := map[string][]string{}
	for range 6 {
		event := hear(s)
		got[event.id] = append(got[event.id], event.event+event.value+event.code)
	}
	for id, want := range map[string][2]string{
		"q": {"nexthello", "complete"}, "s": {"next1", "next2"}, "bad": {"nextBAD_INPUT", "complete"},
	} {
		if events := got[id]; len(events) != 2 || events[0] != want[0] || events[1] != want[1] {
			t.Errorf("%s: got %q, want %q", id, events, want)
		}
	}
	s.Close()
}
