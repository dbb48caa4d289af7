package e2e

import (
	"os"
	"path/filepath"
	"testing"

	"parley/e2e/parleytest"
)

// TestPlayground visits the playground with Chromium, as two people in two tabs: sign in, join,
// follow, send, the server's death and return, reload, sign out. browser/playground.mjs tells what
// it looks at; the test kills and restarts the server for it. The picture it takes stays with the
// test's artifacts, or goes where PARLEY_SCREENSHOT says.
func TestPlayground(t *testing.T) {
	picture := os.Getenv("PARLEY_SCREENSHOT")
	if picture == "" {
		picture = filepath.Join(t.ArtifactDir(), "playground.png")
	}
	chromium := installed(t, "chromium")
	node := parleytest.Start(t, nil)
	visit := startScript(t, filepath.Join("browser", "playground.mjs"), map[string]string{
		"page": node.URL + "/playground", "chromium": chromium, "profile": t.TempDir(), "screenshot": picture,
	}, nil)
	for ask := range visit.asks {
		switch ask {
		case "kill":
			node.Kill()
		case "restart":
			node.Restart()
		}
		visit.say("done")
	}
	visit.finish()
}
