/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SPOOL_NOTIFY_H
#define SPOOL_NOTIFY_H

/*
 * notify.h - the service manager: one datagram to $NOTIFY_SOCKET, the protocol
 * of sd_notify(3).  This is the only file of the house that may use a socket.
 */

/* notify_send - "READY=1", "WATCHDOG=1", ...; nothing if nobody listens */
void notify_send(const char *);

/* notify_interval - seconds between WATCHDOG=1; 0 if not wanted */
double notify_interval(void);

#endif
