package ui

import (
	"crypto/sha256"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"
	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files")

// press types keys, as Bubble Tea names them.
func press(t testing.TB, m *Model, keys ...string) {
	t.Helper()
	for _, k := range keys {
		m.View()
		m.Update(keyMsg(k))
	}
}

func keyMsg(k string) tea.KeyPressMsg {
	named := map[string]rune{"enter": tea.KeyEnter, "esc": tea.KeyEscape, "tab": tea.KeyTab, "up": tea.KeyUp, "down": tea.KeyDown, "pgdown": tea.KeyPgDown, "end": tea.KeyEnd, "home": tea.KeyHome, "backspace": tea.KeyBackspace, "space": tea.KeySpace}
	if mod, rest, ok := strings.Cut(k, "+"); ok && rest != "" {
		msg := keyMsg(rest)
		msg.Text = ""
		switch mod {
		case "ctrl":
			msg.Mod = tea.ModCtrl
		case "shift":
			msg.Mod = tea.ModShift
		}
		return msg
	}
	if code, ok := named[k]; ok {
		return tea.KeyPressMsg{Code: code}
	}
	return tea.KeyPressMsg{Code: []rune(k)[0], Text: k}
}

// screenOf is what a person sees, without colours; it fails on lines of the wrong width.
func screenOf(t testing.TB, m *Model) string {
	t.Helper()
	text := ansi.Strip(m.View().Content)
	lines := strings.Split(text, "\n")
	if tiny := m.screen.w < 20 || m.screen.h < 6; len(lines) != m.screen.h && !tiny {
		t.Errorf("the screen has %d lines, not %d", len(lines), m.screen.h)
	}
	for i, l := range lines {
		if n := ansi.StringWidth(l); n > m.screen.w {
			t.Errorf("line %d is %d cells wide, not %d: %q", i, n, m.screen.w, l)
		}
		lines[i] = strings.TrimRight(l, " ")
	}
	return strings.Join(lines, "\n") + "\n"
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s looks different (go test ./ui -update accepts it):\n%s", name, diff)
	}
}

func TestScreens(t *testing.T) {
	store := incident(t)
	scripts := map[string][]string{
		"overview": nil, "servers": {"1", "z"}, "nodes": {"2", "z"}, "temps": {"3", "z"}, "disks": {"4", "z"}, "findings": {"5", "z"},
		"hosts": {"6", "z"}, "files": {"7", "z"}, "detail": {"1", "d"}, "chain": {"2", "x"}, "help": {"?"}, "card": {"5", "enter"},
		"raw": {"1", "y"}, "filter": {"1", "/", "w", "e", "b", "enter"}, "volumes": {":", "v", "o", "l", "enter"}, "audit": {"9"},
		"flavors": {":", "f", "l", "a", "v", "o", "r", "s", "enter", "z"},
	}
	for name, keys := range scripts {
		for _, size := range [][2]int{{80, 24}, {120, 40}, {200, 60}} {
			t.Run(fmt.Sprintf("%s-%dx%d", name, size[0], size[1]), func(t *testing.T) {
				m := model(t, store, size[0], size[1])
				press(t, m, keys...)
				golden(t, fmt.Sprintf("%s-%dx%d", name, size[0], size[1]), screenOf(t, m))
			})
		}
	}
}

func TestDrawingChangesNoSnapshot(t *testing.T) {
	store := incident(t)
	sum := func() [32]byte {
		b, err := json.Marshal(store.Snapshot())
		if err != nil {
			t.Fatal(err)
		}
		return sha256.Sum256(b)
	}
	before := sum()
	m := model(t, store, 160, 50)
	press(t, m, "2", "z", "/", "w", "enter", "d", "esc", "x", "esc", "5", "enter", "esc", "esc", "space", "O", ">", "m", "?", "esc", "y", "y")
	if sum() != before {
		t.Error("drawing changed the snapshot")
	}
}

func TestEverySizeDraws(t *testing.T) {
	store := incident(t)
	m := model(t, store, 80, 24)
	for w := 1; w < 230; w += 7 {
		for h := 1; h < 70; h += 3 {
			m.Update(tea.WindowSizeMsg{Width: w, Height: h})
			screenOf(t, m)
			for _, k := range []string{"d", "?", "x"} {
				press(t, m, k)
				screenOf(t, m)
				press(t, m, "esc")
			}
		}
	}
}
