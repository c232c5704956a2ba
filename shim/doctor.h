/* tithe doctor [PROGRAM]: what the collector can use on this machine, in this container and for
 * this user, which way to know written pages follows, how long a program stops, and what to change.
 */
#ifndef TITHE_SHIM_DOCTOR_H
#define TITHE_SHIM_DOCTOR_H

/* The command; arguments follow its name. Returns its exit status. */
int doctor_command(char **arguments);

#endif
