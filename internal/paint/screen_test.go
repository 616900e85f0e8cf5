package paint

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/charmbracelet/colorprofile"
	"github.com/charmbracelet/x/ansi"
	"github.com/hinshun/vt10x"
)

// terminal is an emulator fed by a screen.
type terminal struct {
	vt10x.Terminal
	bytes int
}

func (t *terminal) Write(b []byte) (int, error) {
	t.bytes += len(b)
	return t.Terminal.Write(b)
}

func open(w, h int) (*terminal, *Screen) {
	t := &terminal{Terminal: vt10x.New(vt10x.WithSize(w, h))}
	return t, New(t, colorprofile.TrueColor)
}

func (t *terminal) text() string {
	lines := strings.Split(strings.TrimRight(t.String(), "\n"), "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " ")
	}
	return strings.TrimRight(strings.Join(lines, "\n"), "\n")
}

func frame(w, h, seed int) string {
	r := rand.New(rand.NewPCG(uint64(seed), 1))
	lines := make([]string, h)
	for y := range lines {
		var b strings.Builder
		for x := 0; x < w; {
			word := fmt.Sprintf("%x", 256+r.IntN(3840))[:1+r.IntN(3)]
			if r.IntN(5) == 0 {
				fmt.Fprintf(&b, "\x1b[38;5;%dm%s\x1b[m", r.IntN(256), word)
			} else {
				b.WriteString(word)
			}
			x += len(word)
		}
		lines[y] = ansi.Truncate(b.String(), w, "")
	}
	return strings.Join(lines, "\n")
}

func TestTheTerminalShowsTheFrame(t *testing.T) {
	term, s := open(40, 10)
	for i := range 200 {
		f := frame(40, 10, i/3)
		if i%3 == 1 {
			f = strings.Replace(f, "a", "b", 3)
		}
		if err := s.Paint(f); err != nil {
			t.Fatal(err)
		}
		if got, want := term.text(), ansi.Strip(f); got != want {
			t.Fatalf("frame %d:\n%s\nwant\n%s", i, got, want)
		}
	}
}

func TestTheSameFrameWritesNothing(t *testing.T) {
	term, s := open(40, 10)
	_ = s.Paint(frame(40, 10, 1))
	before := term.bytes
	_ = s.Paint(frame(40, 10, 1))
	if term.bytes != before {
		t.Errorf("%d bytes for nothing", term.bytes-before)
	}
}

func TestAChangedCellCostsFewBytes(t *testing.T) {
	term, s := open(80, 24)
	f := strings.Repeat(strings.Repeat("x", 80)+"\n", 23) + "08:41:07"
	_ = s.Paint(f)
	before := term.bytes
	_ = s.Paint(strings.Replace(f, "41:07", "41:08", 1))
	if n := term.bytes - before; n > 20 {
		t.Errorf("a changed digit cost %d bytes", n)
	}
}

func TestAChangedColumnCostsFewBytes(t *testing.T) {
	term, s := open(80, 24)
	f := strings.Repeat(strings.Repeat("x", 40)+"\x1b[38;5;245m3m\x1b[m\n", 23) + "08:41:07"
	_ = s.Paint(f)
	before := term.bytes
	_ = s.Paint(strings.ReplaceAll(f, "3m", "4m"))
	if n := term.bytes - before; n > 23*10+20 {
		t.Errorf("23 changed digits of one style cost %d bytes", n)
	}
}

// TestStylesDoNotRun into what is written next, wherever the cursor goes in between.
func TestStylesDoNotRun(t *testing.T) {
	term, s := open(20, 3)
	style := func(x, y int) vt10x.Color { return term.Cell(x, y).FG }
	_ = s.Paint("aaaa\nbbbb\ncccc")
	_ = s.Paint("\x1b[31mxaax\x1b[m\nbbby\n\x1b[32mz\x1b[mc")
	plain := style(0, 1)
	if style(0, 0) == plain || style(3, 0) != style(0, 0) || style(3, 1) != plain || style(0, 2) == style(0, 0) || style(1, 2) != plain || style(3, 2) != plain {
		t.Error("a style is where it was not asked for, or is not where it was")
	}
}

func TestWideCharactersStayWhole(t *testing.T) {
	term, s := open(20, 2)
	_ = s.Paint("日本語abc\nok")
	_ = s.Paint("日本国abd\nok")
	_ = s.Paint("x本国abd\nok")
	if got := s.shown[0]; got != "x本国abd" || !strings.Contains(term.text(), "abd") {
		t.Errorf("shown %q, terminal %q", got, term.text())
	}
}

func TestShorterFramesLeaveNothingBehind(t *testing.T) {
	term, s := open(20, 5)
	_ = s.Paint("one one one\ntwo\nthree\nfour")
	_ = s.Paint("one\ntwo")
	if got := term.text(); got != "one\ntwo" {
		t.Errorf("terminal %q", got)
	}
}

func TestWhatOthersWriteIsPaintedOver(t *testing.T) {
	term, s := open(20, 3)
	_ = s.Paint("one\ntwo\nthree")
	if _, err := s.Write([]byte("\x1b[H\x1b[2Jsomebody else")); err != nil {
		t.Fatal(err)
	}
	if got := term.text(); got != "one\ntwo\nthree" {
		t.Errorf("terminal %q", got)
	}
}

func TestNothingIsPaintedOutsideTheAlternateScreen(t *testing.T) {
	var out bytes.Buffer
	s := New(&out, colorprofile.TrueColor)
	_ = s.Paint("secret")
	_, _ = s.Write([]byte(ansi.ResetModeAltScreenSaveCursor))
	out.Reset()
	_ = s.Paint("other")
	_, _ = s.Write([]byte("$ "))
	if got := out.String(); got != "$ " {
		t.Errorf("the shell's screen got %q", got)
	}
	_, _ = s.Write([]byte(ansi.SetModeAltScreenSaveCursor))
	if !strings.Contains(out.String(), "other") {
		t.Error("coming back did not paint the frame")
	}
	s.Leave()
	if !strings.HasSuffix(out.String(), ansi.ShowCursor) {
		t.Error("leaving did not give the cursor back")
	}
}

func TestColoursFollowTheProfile(t *testing.T) {
	for profile, want := range map[colorprofile.Profile]string{
		colorprofile.ASCII: "\x1b[7m", colorprofile.ANSI256: "\x1b[38;5;203;7m", colorprofile.ANSI: "\x1b[91",
	} {
		var out bytes.Buffer
		s := New(&out, profile)
		_ = s.Paint("\x1b[38;5;203m\x1b[7mred\x1b[m")
		if !strings.Contains(out.String(), "red") {
			t.Errorf("%v lost the text: %q", profile, out.String())
		}
		if profile == colorprofile.ASCII && strings.Contains(out.String(), "38;5") {
			t.Errorf("%v has colours: %q, want %q", profile, out.String(), want)
		}
	}
}

func FuzzPaint(f *testing.F) {
	f.Add("one\ntwo", "one\ntwo three")
	f.Add("\x1b[31mred\x1b[m", "日本\x1b[7mx")
	f.Add("\x1b]52;c;AAAA\x07", "\x1b[2J\x1b[?1049l")
	f.Fuzz(func(t *testing.T, a, b string) {
		var out bytes.Buffer
		s := New(&out, colorprofile.ANSI)
		_ = s.Paint(a)
		_ = s.Paint(b)
		for _, bad := range []string{"\x1b]", "\x1b[?1049l", "\x1bP"} {
			if strings.Contains(out.String(), bad) {
				t.Errorf("%q came through: %q", bad, out.String())
			}
		}
	})
}

func BenchmarkPaint(b *testing.B) {
	for name, change := range map[string]func(string, int) string{
		"clock": func(f string, i int) string { return strings.Replace(f, "\n", fmt.Sprint(i)+"\n", 1) },
		"all":   func(_ string, i int) string { return frame(200, 50, i%2) },
	} {
		b.Run(name, func(b *testing.B) {
			var out bytes.Buffer
			s := New(&out, colorprofile.ANSI256)
			frames := [2]string{}
			for i := range frames {
				frames[i] = change(frame(200, 50, 7), i)
			}
			i := 0
			for b.Loop() {
				out.Reset()
				_ = s.Paint(frames[i%2])
				i++
			}
		})
	}
}
