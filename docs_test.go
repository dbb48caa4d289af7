package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	markdownLink = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading      = regexp.MustCompile(`(?m)^#+ +(.+)$`)
	notInAnchor  = regexp.MustCompile(`[^\p{L}\p{N} _-]`)
	// quotedFile is a block of code that names the file it shows.
	quotedFile = regexp.MustCompile("(?ms)^```ts (\\S+)\n(.*?)^```$")
)

// TestDocsShowTestedCode: a block of code that names a file shows what stands in it.
func TestDocsShowTestedCode(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("docs", "clients.md"))
	if err != nil {
		t.Fatal(err)
	}
	blocks := quotedFile.FindAllStringSubmatch(string(text), -1)
	if len(blocks) == 0 {
		t.Fatal("docs/clients.md shows no file")
	}
	for _, block := range blocks {
		if file, err := os.ReadFile(block[1]); err != nil || string(file) != block[2] {
			t.Errorf("docs/clients.md doesn't show %s as it is: %v", block[1], err)
		}
	}
}

// TestDocLinksLead to files, and to headings, that are there.
func TestDocLinksLead(t *testing.T) {
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() && (d.Name() == "node_modules" || d.Name() == ".git") {
			return filepath.SkipDir
		}
		if d.IsDir() || filepath.Ext(path) != ".md" {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, m := range markdownLink.FindAllStringSubmatch(string(text), -1) {
			checkLink(t, path, m[1])
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func checkLink(t *testing.T, from, link string) {
	if strings.Contains(link, "://") || strings.HasPrefix(link, "mailto:") {
		return
	}
	file, anchor, _ := strings.Cut(link, "#")
	target := from
	if file != "" {
		target = filepath.Join(filepath.Dir(from), file)
	}
	text, err := os.ReadFile(target)
	if err != nil {
		if info, statErr := os.Stat(target); statErr != nil || !info.IsDir() {
			t.Errorf("%s: %s leads nowhere", from, link)
		}
		return
	}
	if anchor != "" && !slices.Contains(anchors(string(text)), anchor) {
		t.Errorf("%s: there is no heading for %s", from, link)
	}
}

// anchors are the names that GitHub gives to headings.
func anchors(markdown string) []string {
	var names []string
	for _, m := range heading.FindAllStringSubmatch(markdown, -1) {
		name := notInAnchor.ReplaceAllString(strings.ToLower(m[1]), "")
		names = append(names, strings.ReplaceAll(name, " ", "-"))
	}
	return names
}
