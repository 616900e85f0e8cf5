package sh

import "strings"

// Quote writes a command as a person can paste it into any POSIX shell: its words are told apart by one blank, and a
// word that a shell would read otherwise is in single quotes. Nothing in strata runs what it returns. Control characters
// stay what they are; whoever shows the text takes them out.
func Quote(argv ...string) string {
	var b strings.Builder
	for i, word := range argv {
		if i > 0 {
			b.WriteByte(' ')
		}
		if plain(word) && (i > 0 || !strings.Contains(word, "=")) {
			b.WriteString(word)
			continue
		}
		b.WriteString("'" + strings.ReplaceAll(word, "'", `'\''`) + "'")
	}
	return b.String()
}

// plain reports whether a word means itself in every shell, wherever it stands but before the command.
func plain(word string) bool {
	for i := range len(word) {
		c := word[i]
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
		if !letter && !strings.ContainsRune("-_./:,@%+=", rune(c)) {
			return false
		}
	}
	return word != ""
}
