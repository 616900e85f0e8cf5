package incident

import (
	"fmt"
	"os"
)

// Folder makes an empty folder for Options.Dir, in memory where the system has such a place: on a busy disk the files
// alone can take half a second. Its name tells the process. The caller removes it.
func Folder() (string, error) {
	name := fmt.Sprintf("strata-demo-%d-", os.Getpid())
	if dir, err := os.MkdirTemp("/dev/shm", name); err == nil {
		return dir, nil
	}
	dir, err := os.MkdirTemp("", name)
	if err != nil {
		return "", fmt.Errorf("making a folder for the demo cloud: %w", err)
	}
	return dir, nil
}
