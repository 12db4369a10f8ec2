"""The core process, on trio. Read `pipeline` first: it is the life of a message, top to bottom.

- doors        `esme` (SMPP clients), `connection` (one of them), `submission` (their PDUs as messages), `accounts`,
               `desk` (query, cancel, replace)
- carriers     `lane` (one per channel: queue, window, pace), `bind` (one session with a carrier), `report` (what it tells)
- answers      `notices` (receipts and subscribers' messages to senders)
- ground       `wire` and `tls` (sockets), `mailbox` (batches between tasks), `clock`, `ids`, `log`
- the process  `service` (assembly, signals, reload, drain), `control` (the command line's socket)
"""
