// a file list, as simulators take them
+define+SIMULATION
edge_pipe.v   # the block
