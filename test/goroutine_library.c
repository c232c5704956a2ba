/* To be loaded by test/signal_stacks_test.preload: a handler in an object file that says, in the
 * note by which Go's linker does, that Go's runtime is in it. */
#include <stdint.h>

__asm__(".pushsection .note.go.buildid, \"a\", @note\n"
        ".balign 4\n"
        ".long 4, 8, 4\n"
        ".ascii \"Go\\0\\0\"\n"
        ".ascii \"test/go\\0\"\n"
        ".popsection\n");

volatile uintptr_t goroutine_frame;

void goroutine_handler(int number) {
    goroutine_frame = (uintptr_t)__builtin_frame_address(0) + (number == 0);
}
