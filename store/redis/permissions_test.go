package redis

import (
	"io/fs"
	"regexp"
	"strings"
	"testing"
)

// TestEveryCommandOfScriptsIsAskedFor before a script needs it.
func TestEveryCommandOfScriptsIsAskedFor(t *testing.T) {
	asked := map[string]bool{}
	for _, command := range commands {
		name, _, _ := strings.Cut(command, " ")
		asked[name] = true
	}
	call := regexp.MustCompile(`redis\.call\('(\w+)'`)
	err := fs.WalkDir(sources, "lua", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		for _, found := range call.FindAllStringSubmatch(file(path), -1) {
			if !asked[found[1]] {
				t.Errorf("%s runs %s, which isn't among the commands asked for", path, found[1])
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
