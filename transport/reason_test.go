package transport_test

import (
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"parley/transport"
)

// fatal tells whether stock graphql-ws clients give up at a close code.
func fatal(code int) bool {
	if code >= 1000 && code < 2000 {
		return !slices.Contains([]int{1000, 1001, 1005, 1006, 1012, 1013, 1014}, code)
	}
	return slices.Contains([]int{4004, 4005, 4400, 4401, 4406, 4409, 4429, 4500}, code)
}

var reasons = map[string]transport.Reason{
	"done": transport.ReasonDone, "gone": transport.ReasonGone, "silent": transport.ReasonSilent, "drain": transport.ReasonDrain,
	"overload": transport.ReasonOverload, "bad frame": transport.ReasonBadFrame, "not text": transport.ReasonNotText,
	"not UTF-8": transport.ReasonNotUTF8, "not deflated": transport.ReasonNotDeflated, "too big": transport.ReasonTooBig, "bad message": transport.ReasonBadMessage,
	"unacknowledged": transport.ReasonUnacknowledged, "forbidden": transport.ReasonForbidden, "expired": transport.ReasonExpired,
	"no subprotocol": transport.ReasonNoSubprotocol, "init timeout": transport.ReasonInitTimeout,
	"duplicate": transport.ReasonDuplicate, "too many inits": transport.ReasonTooManyInits, "internal": transport.ReasonInternal,
	"too many": transport.ReasonTooMany, "flood": transport.ReasonFlood,
}

func TestReasons(t *testing.T) {
	for name, reason := range reasons {
		t.Run(name, func(t *testing.T) {
			if reason.Retry && fatal(reason.Code) {
				t.Errorf("clients don't come back after %d", reason.Code)
			}
			if reason.Text == "" || len(reason.Text) > 123 {
				t.Errorf("text %q", reason.Text)
			}
			if told := reason.AsErrors(); (told == nil) != (reason.ErrorCode == "") {
				t.Errorf("told as %v", told)
			}
		})
	}
}

// TestReasonsAreDocumented: docs/protocol.md has a row for each code that a WebSocket may be closed
// with, which says whether to come back.
func TestReasonsAreDocumented(t *testing.T) {
	doc, err := os.ReadFile("../docs/protocol.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(doc), "## Close codes")
	table, _, _ = strings.Cut(table, "\n## ")
	told := map[int]bool{}
	for _, row := range regexp.MustCompile(`(?m)^\| (\d+) \|.*\| (yes|no)\b[^|]*\|$`).FindAllStringSubmatch(table, -1) {
		code, err := strconv.Atoi(row[1])
		if err != nil {
			t.Fatal(err)
		}
		told[code] = row[2] == "yes"
	}
	codes := map[int]bool{}
	for _, reason := range reasons {
		if reason.Code != transport.ReasonDone.Code && reason.Code != transport.ReasonGone.Code { // never sent
			codes[reason.Code] = reason.Retry
		}
	}
	if diff := cmp.Diff(codes, told); diff != "" {
		t.Errorf("the table differs (- code, + document):\n%s", diff)
	}
}

func TestReasonTextsAreCut(t *testing.T) {
	for _, text := range []string{"short", strings.Repeat("x", 123), strings.Repeat("x", 124), strings.Repeat("é", 100), "x" + strings.Repeat("🙂", 40)} {
		got := transport.ReasonBadMessage.Because(text)
		if len(got.Text) > 123 || !utf8.ValidString(got.Text) || !strings.HasPrefix(text, got.Text) || got.Code != 4400 {
			t.Errorf("got %+v", got)
		}
	}
}
