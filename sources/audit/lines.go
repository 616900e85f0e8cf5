package audit

import (
	"bufio"
	"errors"
	"fmt"
	"io"
)

// longest is how much of a line is kept. Deeds are far shorter; what is cut off does not parse and shows as such.
const longest = 256 << 10

// tail is what stands in a file behind an offset.
type tail struct {
	last  [][]byte // the last whole lines, at most as many as are kept
	whole int      // how many whole lines there are
	bytes int64    // and how long they are
	rest  []byte   // an unfinished line at the end
}

func readLines(f io.ReadSeeker, after int64) (tail, error) {
	if _, err := f.Seek(after, io.SeekStart); err != nil {
		return tail{}, fmt.Errorf("going to byte %d: %w", after, err)
	}
	var t tail
	in := bufio.NewReaderSize(f, 64<<10)
	for {
		line, n, err := readLine(in)
		if errors.Is(err, io.EOF) {
			t.rest, t.last = line, t.last[max(0, len(t.last)-most):]
			return t, nil
		}
		if err != nil {
			return tail{}, err
		}
		t.whole++
		t.bytes += n
		if len(t.last) == 2*most {
			t.last = append(t.last[:0], t.last[most:]...)
		}
		t.last = append(t.last, line)
	}
}

// readLine reads up to the next newline, which n counts and line leaves out. At the end of the file line is what stands
// there without one.
func readLine(in *bufio.Reader) (line []byte, n int64, err error) {
	for {
		piece, err := in.ReadSlice('\n')
		n += int64(len(piece))
		room := longest - len(line)
		if err == nil {
			piece = piece[:len(piece)-1]
		}
		line = append(line, piece[:min(room, len(piece))]...)
		if !errors.Is(err, bufio.ErrBufferFull) {
			return line, n, err
		}
	}
}
