package cli

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"testing"

	tea "charm.land/bubbletea/v2"
	"github.com/rogpeppe/go-internal/testscript"
)

// TestMain makes this binary be strata when it is called so, in scripts and on pseudo terminals.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"strata": func() { os.Exit(Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) },
		"hears":  func() { os.Exit(hears()) },
		"panics": func() { os.Exit(panics(os.Args[1])) },
	})
}

// hears is a shell that waits for ctrl-c and then for a word. Whether a real one goes on reading after ctrl-c differs.
func hears() int {
	interrupts := make(chan os.Signal, 1)
	signal.Notify(interrupts, os.Interrupt)
	fmt.Println("inside of it")
	<-interrupts
	fmt.Println("caught it")
	var word string
	if _, err := fmt.Scanln(&word); err != nil {
		return 1
	}
	fmt.Println("read " + word)
	return 0
}

// panics shows a screen that panics in the place that is named, once a key is pressed.
func panics(where string) int {
	p := &program{stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, getenv: os.Getenv}
	t, err := p.terminal()
	if err != nil {
		return 99
	}
	quiet, err := openLog(p.logPath())
	if err != nil {
		return 99
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	a := &assembly{broke: make(chan error, 1)}
	go func() { cancel(<-a.broke) }()
	err = p.play(ctx, cancel, &panicky{where: where, a: a}, t, quiet)
	if err == nil {
		return 0
	}
	return p.end(err)
}

type panicky struct {
	where   string
	pressed bool
	a       *assembly
}

func (*panicky) Init() tea.Cmd { return nil }

func (m *panicky) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	if _, ok := msg.(tea.KeyPressMsg); !ok {
		return m, nil
	}
	m.pressed = true
	switch m.where {
	case "update":
		panic("ouch in update")
	case "command":
		return m, func() tea.Msg { panic("ouch in command") }
	case "diagnosis":
		derive := m.a.guarded(func(_, _ *snapshot, _ []change) ([]link, []finding) { panic("ouch in diagnosis") })
		go derive(&snapshot{}, &snapshot{}, nil)
	}
	return m, nil
}

func (m *panicky) View() tea.View {
	if m.pressed && m.where == "view" {
		panic("ouch in view")
	}
	v := tea.NewView("press a key to panic")
	v.AltScreen = true
	return v
}
