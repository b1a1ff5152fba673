import sys
from deployed import *
import stack
stack.pack()
inv=stack.whole("local", stack.LOCAL, 12)
print(run(playbook(DEPLOY, inventory=inv))[-3000:])
