// Command many is a simulated Prometheus with as many machines as its argument says. It prints its URL, and serves until it
// is ended. One machine in a hundred is down.
package main

import (
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"syscall"

	"strata/internal/fake/prometheus"
)

func main() {
	n := 5000
	if len(os.Args) > 1 {
		var err error
		if n, err = strconv.Atoi(os.Args[1]); err != nil || n < 1 {
			fmt.Fprintln(os.Stderr, "usage: many [MACHINES]")
			os.Exit(2)
		}
	}
	s := prometheus.Start(n)
	defer s.Close()
	s.Change(func(all []*prometheus.Machine) []*prometheus.Machine {
		for i := 99; i < len(all); i += 100 {
			all[i].Down = true
		}
		return all
	})
	fmt.Println(s.URL)
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGINT, syscall.SIGTERM)
	<-ended
}
